#!/usr/bin/env bash
#SBATCH --job-name=sweep
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --output=sweep-%j.log
#
# A sweep on all nodes of a Slurm job. Arguments are those of `python -m sweeper`:
#   sbatch --nodes=4 --gres=gpu:4 docs/slurm.sh +experiment=dogs_b0 hydra.sweeper.n_trials=200
set -euo pipefail

[ -x .venv/bin/python ] || { echo "no .venv here; run 'make setup' in the project first" >&2; exit 1; }
source .venv/bin/activate

head_node=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)  # head would end scontrol early
# jobs that share a node have a port each
port=$((20000 + SLURM_JOB_ID % 10000))

# starts Ray on each node, waits for all of them, runs the command on the first, and ends Ray
srun --nodes="$SLURM_NNODES" --ntasks="$SLURM_NNODES" \
  ray symmetric-run --address "$head_node:$port" --min-nodes "$SLURM_NNODES" -- \
  python -m sweeper "$@" -m "hydra.sweeper.executor={kind: ray, address: '$head_node:$port'}"
