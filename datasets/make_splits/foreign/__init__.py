"""The splits of other repositories, as fold files of this one."""
