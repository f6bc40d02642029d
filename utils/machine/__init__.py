"""The machine: device, memory, threads, seeds, clock."""
