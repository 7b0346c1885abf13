"""Which devices a run's items may use: chosen once, and made into slots on every host that takes part."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import RefusedInput
from tasks.cluster.address import Cluster, find_cluster
from tasks.devices.slots import Slot, cpu_slots, plan_slots
from tasks.devices.timeouts import Timeouts


@dataclass(frozen=True)
class Devices:
    """Make it with `choose_devices`.

    Attributes:
        gpu_ids: of each host, repeats weight; None: all that are there.
        num_workers: slots on each host; None: one for each of `gpu_ids`, on the CPU one per core.
        uses_gpu: whether the work can use a GPU at all.
        per_gpu: how often each of `gpu_ids` counts.
        cluster: where else than on this host the items go.
        timeouts: how long an item may take.
    """

    gpu_ids: tuple[int, ...] | None
    num_workers: int | None
    uses_gpu: bool
    per_gpu: int
    cluster: Cluster | None
    timeouts: Timeouts

    def slots(self) -> list[Slot]:
        """Those of the host this is called on. Raises `RefusedInput` for a GPU that it does not have."""
        if not self.uses_gpu:
            return cpu_slots(self.num_workers)
        return plan_slots(self.gpu_ids, self.num_workers, self.per_gpu)


def choose_devices(
    gpu_ids: Sequence[int] | None,
    num_workers: int | None,
    cluster: str | None,
    timeouts: Timeouts,
    uses_gpu: bool = True,
    per_gpu: int = 1,
) -> Devices:
    """Check what the user asked for, as far as that can be told from here.

    Raises:
        RefusedInput: this host has no such GPU (a cluster's hosts are asked when they join); no such cluster.
    """
    if gpu_ids is not None and not gpu_ids:
        raise RefusedInput.of("gpu_ids", [], "one GPU or more; leave it out to use all there are")
    given = None if gpu_ids is None else tuple(gpu_ids)
    there = None if cluster is None else find_cluster(cluster)
    devices = Devices(given, num_workers, uses_gpu, per_gpu, there, timeouts)
    if there is None:
        devices.slots()
    return devices
