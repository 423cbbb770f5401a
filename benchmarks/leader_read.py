# SPDX-License-Identifier: Apache-2.0
"""How often the unmodified dynamixel-sdk reads seven servos of the emulated leader arm.

python benchmarks/leader_read.py [SECONDS]
"""

import sys
import time

import numpy as np
from dynamixel_sdk import COMM_SUCCESS, GroupSyncRead, PacketHandler, PortHandler

from hiors_sim.dynamixel import POSITION, LeaderEmulator, leader_servos

IDS = [1, 2, 4, 5, 6, 7, 8]


def main() -> None:
    """Print rate, latency and errors."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    with LeaderEmulator(leader_servos(IDS)) as leader:
        port = PortHandler(leader.port)
        port.setBaudRate(2_000_000)
        group = GroupSyncRead(port, PacketHandler(2.0), POSITION, 4)
        for number in IDS:
            group.addParam(number)
        times, errors = [], 0
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            errors += group.txRxPacket() != COMM_SUCCESS
            times.append(time.perf_counter() - start)
        port.closePort()
    p50, p99 = 1e3 * np.percentile(times, [50, 99])
    rate = len(times) / seconds
    print(f"{rate:.0f} Hz, p50 {p50:.2f} ms, p99 {p99:.2f} ms, {errors} errors of {len(times)}")


if __name__ == "__main__":
    main()
