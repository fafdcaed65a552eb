"""Slots get places; on made-up devices, since the plan needs none."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.errors import ConfigError
from sweeper.execute.devices import plan_placements, usable_cores, visible_devices
from sweeper.execute.executor import Asked, Placement

FOUR = ("0", "1", "2", "3")
THREADS = "TF_NUM_INTRAOP_THREADS"
LIBRARIES = ("OMP_NUM_THREADS", "TF_NUM_INTEROP_THREADS")


def plan(
    devices: Any = "auto",
    trials_per_device: int | None = None,
    n_jobs: int | None = None,
    *,
    visible: Sequence[str] = (),
    cores: Sequence[int] = range(8),
    threads: int | None = None,
) -> tuple[Placement, ...]:
    asked = Asked(devices, trials_per_device, n_jobs, threads)
    return plan_placements(asked, visible=visible, cores=cores)


def names(places: tuple[Placement, ...]) -> list[str]:
    return [place.name for place in places]


def faults(*arguments: Any, **keywords: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        plan(*arguments, **keywords)
    return caught.value.faults


class TestGpus:
    def test_a_trial_sees_its_device_alone(self) -> None:
        (place,) = plan([2], visible=FOUR)
        assert place.name == "gpu 2"
        assert place.cores is None
        assert place.environment == {
            "CUDA_VISIBLE_DEVICES": "2",
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        }

    @pytest.mark.parametrize("n_jobs", [None, -1])
    def test_all_of_them_have_one_trial_each(self, n_jobs: int | None) -> None:
        assert names(plan("auto", None, n_jobs, visible=FOUR)) == [f"gpu {n}" for n in range(4)]

    def test_slots_go_round(self) -> None:
        assert names(plan([0, 1], 2, visible=FOUR)) == ["gpu 0", "gpu 1", "gpu 0", "gpu 1"]
        assert names(plan([0, 1], None, 3, visible=FOUR)) == ["gpu 0", "gpu 1", "gpu 0"]
        assert names(plan([0, 1], 2, 3, visible=FOUR)) == ["gpu 0", "gpu 1", "gpu 0"]

    def test_integers_count_within_what_is_visible(self) -> None:
        assert names(plan([0, 1], visible=("4", "5"))) == ["gpu 4", "gpu 5"]
        assert names(plan(["5"], visible=("4", "5"))) == ["gpu 5"]

    def test_uuids_may_be_cut_short_and_need_not_be_listed(self) -> None:
        known = ("GPU-8932f937-d72c", "MIG-41b5")
        assert names(plan(["GPU-8932", "MIG-41b5"], visible=known)) == [
            "gpu GPU-8932f937-d72c",
            "gpu MIG-41b5",
        ]
        assert names(plan(["GPU-8932"], visible=FOUR)) == ["gpu GPU-8932"]
        assert "'GPU-9'" in faults(["GPU-9"], visible=known)[0]

    @pytest.mark.parametrize("device", [4, -1, "4", "GPU", None, 1.5, [0]])
    def test_one_that_is_not_there_is_a_fault(self, device: Any) -> None:
        (fault,) = faults([0, device], visible=FOUR)
        assert f"names {device!r}, which is not there; visible are: 0, 1, 2, 3" in fault

    def test_none_being_there_is_reported(self) -> None:
        assert "visible are: none" in faults([0])[0]
        assert "visible are: none" in faults(["GPU-8932"])[0]

    def test_one_named_twice_is_a_fault(self) -> None:
        (fault,) = faults([1, "1"], visible=FOUR)
        assert "device 1 more than once" in fault


class TestCpu:
    def test_one_slot_has_it_all(self) -> None:
        assert plan() == plan("auto", 1) == plan("auto", None, 1) == (Placement(),)

    def test_devices_are_hidden_when_the_cpu_is_asked_for(self) -> None:
        (place,) = plan("cpu", visible=FOUR)
        assert place == Placement("cpu", {"CUDA_VISIBLE_DEVICES": "-1"})
        for place in plan("cpu", 2, visible=FOUR):
            assert place.environment["CUDA_VISIBLE_DEVICES"] == "-1"
        for place in plan("auto", 2):
            assert "CUDA_VISIBLE_DEVICES" not in place.environment

    def test_slots_share_the_cores(self) -> None:
        places = plan("auto", None, 3)
        assert [set(place.cores or ()) for place in places] == [{0, 1}, {2, 3, 4}, {5, 6, 7}]
        for place in places:
            of_libraries = [place.environment[name] for name in LIBRARIES]
            assert of_libraries == [str(len(place.cores or ()))] * 2

    @pytest.mark.parametrize("n_jobs", [1, 2, 3, 8, 11])
    def test_a_trial_has_as_many_threads_however_many_run_beside_it(self, n_jobs: int) -> None:
        for place in plan("cpu", None, n_jobs):
            assert place.environment.get(THREADS, "8") == "8"
        for place in plan("cpu", None, n_jobs, threads=3):
            assert place.environment[THREADS] == "3"

    def test_all_jobs_is_one_for_each_core_unless_room_is_given(self) -> None:
        assert len(plan("auto", None, -1)) == 8
        assert len(plan("cpu", 3, -1)) == 3


class TestFaults:
    def test_more_jobs_than_room(self) -> None:
        (fault,) = faults([0, 1], 2, 5, visible=FOUR)
        assert "n_jobs=5" in fault
        assert "2 devices" in fault
        assert "executor.trials_per_device=2" in fault
        assert "lower n_jobs to 4" in fault
        assert "raise trials_per_device to 3" in fault
        assert "1 device with" in faults("cpu", 2, 3)[0]

    def test_all_come_at_once(self) -> None:
        found = faults([7, 8], 0, -2, visible=FOUR)
        assert len(found) == 4
        assert "got 0" in found[2]
        assert "got -2" in found[3]

    @pytest.mark.parametrize("devices", ["gpu", "0,1", "", [], 0, None])
    def test_what_is_no_list_of_devices(self, devices: Any) -> None:
        (fault,) = faults(devices, visible=FOUR)
        assert f"got {devices!r}" in fault


@given(
    gpus=st.integers(0, 6),
    hide=st.booleans(),
    trials_per_device=st.none() | st.integers(1, 5),
    n_jobs=st.none() | st.just(-1) | st.integers(1, 40),
    cores=st.sets(st.integers(0, 255), min_size=1, max_size=32).map(sorted),
)
def test_every_slot_has_a_fair_place(
    gpus: int, hide: bool, trials_per_device: int | None, n_jobs: int | None, cores: list[int]
) -> None:
    visible = [str(number) for number in range(gpus)]
    used = 0 if hide else gpus
    count = max(1, used)
    too_many = n_jobs is not None and trials_per_device and n_jobs > count * trials_per_device
    if too_many:
        assert (
            str(n_jobs)
            in faults(
                "cpu" if hide else "auto", trials_per_device, n_jobs, visible=visible, cores=cores
            )[0]
        )
        return
    places = plan(
        "cpu" if hide else "auto", trials_per_device, n_jobs, visible=visible, cores=cores
    )
    if n_jobs is not None and n_jobs > 0:
        assert len(places) == n_jobs
    elif trials_per_device:
        assert len(places) == count * trials_per_device
    else:
        assert len(places) == (len(cores) if n_jobs == -1 and not used else count)
    if used:
        shares = Counter(place.environment["CUDA_VISIBLE_DEVICES"] for place in places)
        assert set(shares) <= set(visible)
        assert max(shares.values()) == -(-len(places) // used)
        assert len(shares) == min(used, len(places))
        assert all(place.cores is None for place in places)
    elif len(places) > 1:
        sets = [place.cores or frozenset() for place in places]
        sizes = [len(share) for share in sets]
        assert min(sizes) >= 1
        assert max(sizes) - min(sizes) <= 1
        assert set().union(*sets) == set(cores)
        if len(places) <= len(cores):
            assert sum(sizes) == len(cores)
        else:
            load = Counter(core for share in sets for core in share)
            assert max(load.values()) - min(load.values()) <= 1


class TestVisibleDevices:
    @pytest.mark.parametrize(
        ("variable", "expected"),
        [
            ("", ()),
            ("-1", ()),
            ("NoDevFiles", ()),
            ("4,5", ("4", "5")),
            (" 0 , GPU-8932f937 ", ("0", "GPU-8932f937")),
            ("0,-1,1", ("0",)),
        ],
    )
    def test_the_variable_decides(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, expected: tuple[str, ...]
    ) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
        assert visible_devices() == expected

    @pytest.mark.parametrize(
        ("script", "expected"),
        [
            ("echo 0; echo 1", ("0", "1")),
            ("echo No devices were found", ()),
            ("echo 0; exit 9", ()),
            (None, ()),
        ],
    )
    def test_else_nvidia_smi(
        self,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        script: str | None,
        expected: tuple[str, ...],
    ) -> None:
        if script is not None:
            (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert visible_devices() == expected


def test_usable_cores_are_those_of_this_process() -> None:
    assert set(usable_cores()) == os.sched_getaffinity(0)
