"""Damaged and hostile files for every reader: `python -m tests.fuzz --reader NAME --seconds N`.

Why neither atheris nor hypothesis. The readers that matter are written in C (HDF5, the zip and tensor readers of torch,
zlib), where atheris has no coverage to be guided by, and it runs in one process, which the first crash or hang ends.
hypothesis builds inputs from strategies and shrinks them, but knows neither crashes nor hangs nor memory, and half of
its time goes into bookkeeping. Here the reads happen in processes of their own, which are watched from outside, and the
mutations know the formats: what a checksum or a header would turn away at the door is written anew around the damage.
"""
