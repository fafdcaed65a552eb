"""What ``hydra.sweeper`` and its groups hold before a person changes it: plain data.

Hydra loads every plugin for every application, also for those that never sweep, so nothing here
imports Optuna. ``tests/search/test_samplers.py`` compares the keywords with the installed one.
``???`` has to be set by the person.
"""

from collections.abc import Mapping
from typing import Any

SWEEPER: Mapping[str, Any] = {
    # an Optuna sampler, chosen with hydra/sweeper/sampler=<name>
    "sampler": "???",
    # an Optuna pruner, chosen with hydra/sweeper/pruner=<name>
    "pruner": "???",
    # minimize or maximize, or a list with one of them for each objective
    "direction": "minimize",
    # an Optuna storage url, e.g. sqlite:///studies.db; null keeps the study in memory
    "storage": None,
    # by which it is continued; null: one of its own for each sweep
    "study_name": None,
    # finished trials in all: the same command again runs only those that are missing. null: no
    # total, something else has to end the study
    "n_trials": 20,
    # trials at a time; null: one on each place of the executor, -1: as many as there are cores
    "n_jobs": None,
    # the sweep stops as soon as more than this share of all its trials is sure to have failed;
    # null: never
    "max_failure_rate": None,
    # search space by override key; the command line wins
    "params": None,
    # dotted path of a function (config, trial) that suggests more parameters
    "custom_search_space": None,
    # parameter sets to try first; the path of an optimization_results.yaml stands for its best
    "enqueue": [],
    # a study to learn from: its name, or {study_name: ..., storage: ...}
    "warm_start": None,
    # how often a trial is tried again, by the cause of its failure; a bare number is for killed
    "retries": {"killed": 1, "raised": 0, "timeout": 0, "oom": 0, "nonsense": 0, "lost": 3},
    # seconds after which a trial is killed
    "trial_timeout": None,
    # seconds after which no trial is started any more
    "timeout": None,
    # the study ends when its objective is this good
    "target": None,
    # the study ends after this many finished trials without improvement
    "patience": None,
    # the study ends when more trials could gain less than this, by a bound of the regret that takes
    # 20 complete trials; error: less than the standard error of the best figure
    "min_gain": None,
    # continue the study of this name; false archives it and begins a new one
    "resume": True,
    # seconds between the signs of life of a running trial, in a store that machines share
    "heartbeat_interval": 60,
    # seconds for which a store that machines share may be away before the sweep ends
    "storage_timeout": 600,
    "executor": {
        # process; inline: in this process, one after the other; or ray: on a Ray cluster
        "kind": "process",
        # auto, cpu, or a list of CUDA devices
        "devices": "auto",
        # trials at a time on each device; null: as many as n_jobs needs
        "trials_per_device": None,
        # of each trial on the CPU, whatever n_jobs is; null: one a core, as the study began
        "threads": None,
        # of the Ray cluster; null or auto: the one of this machine, local: a new one on it
        "address": None,
        # what each trial has of the Ray cluster, also parts of one; null: 1 CPU, and 1 GPU where
        # there are any
        "num_cpus": None,
        "num_gpus": None,
    },
}

_TPE = {
    "_target_": "optuna.samplers.TPESampler",
    "seed": None,
    "n_startup_trials": 10,
    "n_ei_candidates": 24,
    "multivariate": None,
    "group": False,
    "constant_liar": True,
    # deprecated by Optuna from here on
    "consider_prior": None,
    "prior_weight": None,
    "consider_magic_clip": None,
    "consider_endpoints": None,
    "gamma": None,
    "weights": None,
    "warn_independent_sampling": None,
    "constraints_func": None,
}

_CMAES = {
    "_target_": "optuna.samplers.CmaEsSampler",
    "seed": None,
    "n_startup_trials": 1,
    "independent_sampler": None,
    "warn_independent_sampling": True,
    "consider_pruned_trials": False,
    "popsize": None,
    "use_separable_cma": False,
    "with_margin": False,
    "lr_adapt": False,
    "source_trials": None,
    # deprecated by Optuna from here on
    "x0": None,
    "sigma0": None,
    "restart_strategy": None,
    "inc_popsize": -1,
}

_NSGAII = {
    "_target_": "optuna.samplers.NSGAIISampler",
    "seed": None,
    "population_size": 50,
    "mutation": None,
    "mutation_prob": None,
    "crossover": None,
    "crossover_prob": 0.9,
    "swapping_prob": 0.5,
    "elite_population_selection_strategy": None,
    "child_generation_strategy": None,
    "after_trial_strategy": None,
    # deprecated by Optuna
    "constraints_func": None,
}

SAMPLERS: Mapping[str, Mapping[str, Any]] = {
    "tpe": _TPE,
    "random": {"_target_": "optuna.samplers.RandomSampler", "seed": None},
    "cmaes": _CMAES,
    "nsgaii": _NSGAII,
    "nsgaiii": _NSGAII
    | {
        "_target_": "optuna.samplers.NSGAIIISampler",
        "reference_points": None,
        "dividing_parameter": 3,
    },
    "gp": {
        "_target_": "optuna.samplers.GPSampler",
        "seed": None,
        "independent_sampler": None,
        "n_startup_trials": 10,
        "deterministic_objective": False,
        "warn_independent_sampling": True,
        # deprecated by Optuna
        "constraints_func": None,
    },
    "qmc": {
        "_target_": "optuna.samplers.QMCSampler",
        "seed": None,
        "qmc_type": "sobol",
        "scramble": False,
        "independent_sampler": None,
        "warn_asynchronous_seeding": True,
        "warn_independent_sampling": True,
    },
    "grid": {
        "_target_": "optuna.samplers.GridSampler",
        "seed": None,
        # null: every combination of the values of the search space
        "search_space": None,
    },
    "bruteforce": {
        "_target_": "optuna.samplers.BruteForceSampler",
        "seed": None,
        "avoid_premature_stop": False,
    },
}

_MEDIAN = {
    "_target_": "optuna.pruners.MedianPruner",
    "n_startup_trials": 5,
    "n_warmup_steps": 0,
    "interval_steps": 1,
    "n_min_trials": 1,
}

PRUNERS: Mapping[str, Mapping[str, Any]] = {
    "nop": {"_target_": "optuna.pruners.NopPruner"},
    "median": _MEDIAN,
    # Optuna has no default; this keeps the best quarter of the trials, as in its documentation
    "percentile": _MEDIAN | {"_target_": "optuna.pruners.PercentilePruner", "percentile": 25.0},
    "hyperband": {
        "_target_": "optuna.pruners.HyperbandPruner",
        "min_resource": 1,
        "max_resource": "auto",
        "reduction_factor": 3,
        "bootstrap_count": 0,
    },
    "successive_halving": {
        "_target_": "optuna.pruners.SuccessiveHalvingPruner",
        "min_resource": "auto",
        "reduction_factor": 4,
        "min_early_stopping_rate": 0,
        "bootstrap_count": 0,
    },
    "patient": {
        "_target_": "optuna.pruners.PatientPruner",
        # null: the trial is stopped as soon as patience ends
        "wrapped_pruner": None,
        "patience": "???",
        "min_delta": 0.0,
    },
    "threshold": {
        "_target_": "optuna.pruners.ThresholdPruner",
        # one of these two has to be set
        "lower": None,
        "upper": None,
        "n_warmup_steps": 0,
        "interval_steps": 1,
    },
    "wilcoxon": {
        "_target_": "optuna.pruners.WilcoxonPruner",
        "p_threshold": 0.1,
        "n_startup_steps": 2,
    },
}
