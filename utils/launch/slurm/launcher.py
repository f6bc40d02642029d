"""The launcher that submits pieces to Slurm, all at once, and then watches them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from utils.command.launch_options import CPU, LaunchOptions
from utils.errors import UserError
from utils.files.locks import locked_in_turn
from utils.files.phrases import counted
from utils.launch.piece import Ended, Launcher, Piece, Watcher
from utils.launch.piece_file import digest_of, name_of, settings_of, write_pieces
from utils.launch.process import signals_blocked
from utils.launch.slurm.batch_files import write_batch_files
from utils.launch.slurm.options import read_slurm_options
from utils.launch.slurm.queue import LONGEST_ARRAY, Queue, SlurmQueue
from utils.launch.slurm.record import (
    Submitted,
    folder_of,
    forget,
    new_folder,
    read_ended,
    read_jobs,
    remove_private_files,
    write_ended,
    write_jobs,
)
from utils.launch.slurm.stages import at_work, left_to_do, stages_of
from utils.launch.slurm.watch import Watch
from utils.machine.interruption import Terminated, signals_end_the_work

AT_A_TIME = 64  # jobs of an array, by default


class SlurmLauncher:
    """See `utils.launch.piece.Launcher`.

    Args:
        options: of `sbatch`, and how many jobs at a time.
        device: `--device` of the runs; `auto` is a GPU where the jobs ask for one.
        queue: that the jobs go to; Slurm's where none is given.

    Raises:
        UserError: for impossible options, without submitit, and where there is no Slurm.
    """

    cpus = None
    own_memory = True

    def __init__(self, options: LaunchOptions, *, device: str, queue: Queue | None = None) -> None:
        given = read_slurm_options(options.slurm or ())
        self.n_slots = options.jobs or AT_A_TIME
        self.device = ("cuda" if given.uses_gpu() else CPU) if device == "auto" else device.partition(":")[0]
        self._given = given
        self._queue: Queue | None = queue
        if queue is None and not options.dry_run:
            self._queue = SlurmQueue(given, self.n_slots)

    def run(self, pieces: Sequence[Piece], watcher: Watcher) -> list[Ended]:
        """Submit the pieces that are left to do, watch all, and return how each ended.

        Raises:
            UserError: for what `sbatch` refuses; then nothing stays in the queue of what was submitted here.
            Terminated: after a signal. The jobs go on without this command.
        """
        queue = self._queue
        assert queue is not None
        with signals_end_the_work():
            jobs = self.submit(pieces)
            try:
                ended = Watch(pieces, jobs, queue, watcher).until_all_have_ended()
            except Terminated:
                _say_what_goes_on(jobs, queue)
                raise
            if pieces:
                remove_private_files(folder_of(pieces[0]), set(queue.states()) - set(jobs.values()))
        return ended

    def submit(self, pieces: Sequence[Piece]) -> dict[str, str]:
        """Submit what is left to do and not in the queue yet; returns {label: job} of all that have one.

        Raises:
            UserError: for what `sbatch` refuses, for pieces that are in the queue with other settings, and for results
                that are there where a run is to begin anew.
        """
        assert self._queue is not None
        if not pieces:
            return {}
        record = folder_of(pieces[0])
        with locked_in_turn(record / "jobs.json"):
            states = self._queue.states()
            known = {name: each for name, each in read_jobs(record).items() if each.job in states}
            jobs = _in_queue(pieces, known)
            left = left_to_do(pieces, jobs)
            watched = at_work(pieces, jobs)
            _check_nothing_is_there(left)
            for piece in pieces:
                if piece not in left and piece.label not in watched:
                    write_ended(piece, read_ended(piece, of_same_work=True) or Ended(piece.label, 0, "kept"))
            forget(left)
            jobs |= self._submit_stages(pieces, left, jobs, known, record)
        return jobs

    def write_files(self, pieces: Sequence[Piece]) -> Path:
        """Write files for `sbatch` instead of submitting the pieces; returns their folder."""
        folder = new_folder(folder_of(pieces[0]))
        write_batch_files(folder, stages_of(pieces, longest=LONGEST_ARRAY), pieces, self._given, self.n_slots)
        return folder

    def _submit_stages(
        self,
        pieces: Sequence[Piece],
        left: Sequence[Piece],
        in_queue: dict[str, str],
        known: dict[str, Submitted],
        record: Path,
    ) -> dict[str, str]:
        """Submit stage by stage; what is in the queue is written down after each."""
        assert self._queue is not None
        jobs: dict[str, str] = {}
        folder = new_folder(record) if left else record
        try:
            for number, stage in enumerate(stages_of(left, longest=LONGEST_ARRAY), start=1):
                path = folder / f"{number}_{stage.kind}.json"
                write_pieces(path, stage.pieces, pieces)
                needed = [label for piece in stage.pieces for label in piece.needs]
                both = {**in_queue, **jobs}
                # A whole array by its number, which is one word for a thousand jobs.
                after = list(dict.fromkeys(both[label].split("_")[0] for label in needed if label in both))
                with signals_blocked():  # a job that was submitted is one that is known
                    new = self._queue.submit(stage.kind, path, len(stage.pieces), after, folder)
                    for piece, job in zip(stage.pieces, new, strict=True):
                        jobs[piece.label] = job
                        known[name_of(piece)] = Submitted(job, digest_of(piece))
                    write_jobs(record, known)
        except BaseException:
            self._queue.cancel(list(jobs.values()))
            raise
        return jobs


def _in_queue(pieces: Sequence[Piece], known: dict[str, Submitted]) -> dict[str, str]:
    """The jobs of the pieces that are in the queue."""
    found = {}
    for piece in pieces:
        each = known.get(name_of(piece))
        if each is None:
            continue
        if each.digest != digest_of(piece):
            raise UserError(
                f"{piece.label} is in the queue with other settings, as job {each.job}: wait until it has ended, or "
                f"cancel it (scancel {each.job})"
            )
        found[piece.label] = each.job
    return found


def _check_nothing_is_there(left: Sequence[Piece]) -> None:
    """Say now what the job of a beginning would say after it has waited for hours."""
    from utils.runs.run_claim import permit  # slow to import

    for piece in left:
        settings = settings_of(piece) if piece.kind == "begin" else None
        if settings and settings.stage in ("all", "train") and not (settings.resume or settings.overwrite):
            permit(settings.run_dir, {"folds": []}, stage=settings.stage, resume=False, overwrite=False)


def written(pieces: Sequence[Piece], launcher: Launcher) -> str:
    """Write files for `sbatch` instead of submitting the pieces (`--dry_run`); returns a sentence about it.

    Raises:
        ValueError: for another launcher.
    """
    if not isinstance(launcher, SlurmLauncher):
        raise ValueError(f"got {type(launcher).__name__}, expected a launcher that submits jobs")
    folder = launcher.write_files(pieces)
    return (
        f"wrote {folder / 'submit.sh'}, which submits {counted(len(pieces), 'piece')}; when they have ended, this "
        "command without --dry_run does what is left"
    )


def _say_what_goes_on(jobs: dict[str, str], queue: Queue) -> None:
    states = queue.states()
    alive = [job for job in dict.fromkeys(jobs.values()) if job in states]
    if alive:
        arrays = " ".join(dict.fromkeys(job.split("_")[0] for job in alive))
        tqdm.write(
            f"{counted(len(alive), 'job')} of this launch go on without this command: the same command watches them "
            f"again, scancel {arrays} ends them"
        )
