"""Runs commands in turn (A B C A B C ...), so that noise affects all alike, and returns medians of time and memory."""
import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOBODY = 65534


class Command:
    """What is run, as which user, and with which exit statuses it succeeds."""

    def __init__(self, key, arguments, uid=0, statuses=(0,)):
        self.key, self.arguments, self.uid, self.statuses = key, arguments, uid, statuses


class Result:
    """The runs of one command at one point."""

    def __init__(self):
        self.walls, self.peaks, self.stopped_after = [], [], None

    def as_json(self):
        if self.stopped_after:
            return {"stopped_after_s": self.stopped_after}
        return {
            "wall_ms": round(statistics.median(self.walls) * 1000, 3),
            "lowest_ms": round(min(self.walls) * 1000, 3),
            "highest_ms": round(max(self.walls) * 1000, 3),
            "peak_kb": round(statistics.median(self.peaks)),
            "runs": len(self.walls),
        }


def compile_timed(folder):
    """Compiles timed.c into `folder`, and returns the program."""
    program = Path(folder) / "timed"
    subprocess.run(["cc", "-O2", "-o", program, HERE / "timed.c"], check=True)
    program.chmod(0o755)
    return program


def copy_program(program, folder):
    """Copies `program` to where every user may run it, and returns the copy."""
    folder = Path(folder)
    folder.chmod(0o755)
    copy = folder / "allears"
    shutil.copyfile(program, copy)
    copy.chmod(0o755)
    return str(copy)


def run(timed, command, limit):
    """Runs `command` once; returns seconds, kB and whether it ended within `limit` seconds."""
    arguments = [str(timed), str(limit), str(command.uid), *command.arguments]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": "/nonexistent"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment, cwd="/")
    wall, peak, status = done.stdout.split()
    if int(status) not in (-1, *command.statuses):
        raise SystemExit(f"{' '.join(command.arguments)} exited with {status}")
    return float(wall), int(peak), int(status) != -1


def in_turn(timed, commands, repeats, slow=20, limit=60, budget=None):
    """Runs each command `repeats` times, in turn. One that takes more than `slow` seconds is not run again; one that
    takes more than `limit` is killed. No new turn begins after `budget` seconds. Returns a Result for each command's
    key."""
    results = {command.key: Result() for command in commands}
    began = time.monotonic()
    for turn in range(repeats):
        if turn and budget and time.monotonic() - began > budget:
            break
        for command in commands:
            result = results[command.key]
            if result.stopped_after or any(wall > slow for wall in result.walls):
                continue
            wall, peak, ended = run(timed, command, limit)
            if ended:
                result.walls.append(wall)
                result.peaks.append(peak)
            else:
                result.stopped_after = limit
    return results
