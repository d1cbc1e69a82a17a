"""A Ray cluster: where it is, whether it answers, and how many workers it has room for."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from judge.errors import EngineError, InputError, ModelError, install, safe

HERE = "local"
"""What Ray calls a cluster that it starts on this machine."""
ANSWER = 10.0
"""Seconds that a cluster's address has to answer."""


@dataclass(frozen=True)
class Cluster:
    """Where workers run, and how many."""

    address: str | None = None
    """`auto`, `host:port` or `ray://host:port`; null for Ray on this machine, or what RAY_ADDRESS names."""
    workers: int | None = None
    """One for each `gpus` of the cluster's GPUs unless given; without GPUs, one for each machine."""
    gpus: float = 0.0
    """GPUs that each worker has to itself."""


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """Ray, connected to the cluster; what it would send home or write between our lines is left out.

    Raises:
        ModelError: It is not installed.
        InputError: The address does not answer.
        EngineError: Ray does not start on this machine.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # a busy machine takes its time
    try:
        import ray
    except ImportError:
        raise ModelError("--on ray needs ray", install("ray")) from None
    fix = "start the cluster, or correct --ray-address: auto, HOST:PORT or ray://HOST:PORT"
    _check_answers(cluster.address, fix)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    address, local = cluster.address or os.environ.get("RAY_ADDRESS") or HERE, {}
    if address == HERE:
        local = {"include_dashboard": False, "num_cpus": max(os.cpu_count() or 1, cluster.workers or 1)}
    try:
        ray.init(address=address, **quiet, **local)
    except Exception as error:  # Ray has no class for it
        if address == HERE:
            raise EngineError(f"Ray did not start on this machine ({safe(str(error))[:200]})", "try again") from None
        raise InputError(f"--ray-address {address}: no Ray cluster answers ({safe(str(error))[:200]})", fix) from None
    try:
        with _silent(ray):
            yield ray
    finally:
        ray.shutdown()


@contextmanager
def _silent(ray: Any) -> Iterator[None]:
    """Leave out what Ray prints on standard output when a worker is lost, which it has no option for: there, only one
    JSON document may be."""
    inside = ray._private.worker
    kept = getattr(inside, "print_to_stdstream", None)
    inside.print_to_stdstream = lambda *given, **named: None
    try:
        yield
    finally:
        if kept is not None:
            inside.print_to_stdstream = kept


def _check_answers(address: str | None, fix: str) -> None:
    """Ray tries an address for minutes: see first that somebody listens there."""
    if address in (None, "auto", HERE):
        return
    place = urlsplit(address if "://" in address else f"//{address}")
    with suppress(ValueError):
        host, port = place.hostname, place.port
        if host and port:
            try:
                socket.create_connection((host, port), ANSWER).close()
            except OSError as error:
                raise InputError(
                    f"--ray-address {address}: does not answer ({error.strerror or 'it took too long'})", fix
                ) from None
            return
    raise InputError(f"--ray-address {address}: is no address of a Ray cluster", fix)


def worker_count(ray: Any, cluster: Cluster) -> int:
    """How many workers there shall be."""
    there = ray.cluster_resources()
    if cluster.gpus and there.get("GPU", 0) < cluster.gpus:
        raise InputError(
            f"--gpus-per-worker {cluster.gpus:g}: the cluster has {there.get('GPU', 0):g}",
            "give what it has, or leave it out to label on processors",
        )
    if cluster.workers:
        return cluster.workers
    machines = sum(node["Alive"] for node in ray.nodes())
    return max(1, int(there["GPU"] // cluster.gpus) if cluster.gpus else machines)
