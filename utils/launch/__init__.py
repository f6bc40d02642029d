"""Where the pieces of runs are computed: on this machine or on Ray, several at a time, each in a process of its own."""
