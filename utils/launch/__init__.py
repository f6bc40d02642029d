"""Where the pieces of runs are computed: on this machine, several at a time, each in a process of its own."""
