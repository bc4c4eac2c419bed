#!/usr/bin/env python3
"""Kills runners, workers and programs with SIGKILL at random moments, and checks that nothing comes of it.

Runs a pipeline once undisturbed. Then, again and again with an empty cache: starts it (sometimes twice at once, with a
random --jobs), kills the runner, a worker or a program, or all of them after a random delay, and starts it again, until one
run is left to end. Then it must be true that

* every result and every file of the output folder has the bytes of the undisturbed run (report.html tells of the last
  run and is left out),
* `compt fsck --deep` finds no damage, no lock and no half-made result stays, and `compt gc` leaves all that is needed,
* one more run finds everything and runs nothing,
* no process is left over, also not for a moment after its runner died.

The moments and the kinds of victims follow from --seed; what happens at these moments does not, since machines differ.
"""

import argparse
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GRACE = 120.0  # seconds for the kernel to end the children of a killed process


class Fault(Exception):
    """Something that may not be."""


class Site:
    """A cache and an output folder, and the processes that use them."""

    def __init__(self, folder, args):
        self.cache = folder / "cache"
        self.outputs = folder / "outputs"
        self.args = args
        # Runners, workers and what they start inherit it; a program of a stage doesn't, but it works below this folder.
        self.folder = folder.resolve()
        self.token = f"{os.getpid()}-{folder.name}"

    def command(self, *words):
        return [str(self.args.compt), *words, "--cache", str(self.cache)]

    def start(self, jobs):
        pipeline = ["run", self.args.file, *self.args.more, "--jobs", str(jobs), "--outputs", str(self.outputs), "--json"]
        return subprocess.Popen(
            self.command(*pipeline),
            cwd=self.args.project,
            env={**os.environ, "COMPT_CHAOS": self.token, "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, *words):
        done = subprocess.run(
            self.command(*words),
            cwd=self.args.project,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return done

    def processes(self):
        """The living processes of this site, by id."""
        wanted = f"COMPT_CHAOS={self.token}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                inherits = wanted in (entry / "environ").read_bytes().split(b"\0")
                if inherits or self.is_program(int(entry.name)):
                    found.append(int(entry.name))
            except OSError:
                pass  # it ended, or is not ours
        return found

    def is_program(self, process):
        """Whether it works in the folder of a stage; one that has ended meanwhile does not."""
        try:
            return self.folder in Path(f"/proc/{process}/cwd").resolve().parents
        except OSError:
            return False

    def results(self):
        """Everything that a run makes, by name: files of the output folder, keys and digests of the cache."""
        made = {}
        for path in sorted(self.outputs.rglob("*")):
            if path.is_file() and path.name != "report.html":
                made[f"outputs/{path.relative_to(self.outputs)}"] = path.read_bytes()
        for kind in ["records", "objects"]:
            for path in (self.cache / kind).glob("*/*"):
                if not path.name.startswith(".writing-"):
                    made[f"{kind}/{path.name}"] = b""
        return made


def kill(process):
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass


def wait_until(what, done):
    end = time.monotonic() + GRACE
    while True:
        late = time.monotonic() > end  # before the look: on a busy machine much time may pass between the two
        if done():
            return
        if late:
            raise Fault(what)
        time.sleep(0.01)


def disturb(site, chance, longest, count):
    """One start that is killed at a random moment."""
    runners = [site.start(chance.randint(1, 3)) for _ in range(2 if chance.random() < 0.2 else 1)]
    count["starts"] += len(runners)
    # Short delays as often as long ones: the beginning of a run has more kinds of moments.
    delay = math.exp(chance.uniform(math.log(0.01), math.log(longest)))
    victim = chance.choice(["runner", "runner", "worker", "all"])
    which = chance.random()
    time.sleep(delay)
    ours = {runner.pid for runner in runners}

    def workers():
        return sorted(process for process in site.processes() if process not in ours)

    def kill_worker(worker):
        count["programs_killed" if site.is_program(worker) else "workers_killed"] += 1
        kill(worker)

    if victim == "worker":
        # The first moment at which there is one, if there is none yet.
        while not (there := workers()) and any(runner.poll() is None for runner in runners):
            time.sleep(0.001)
        for worker in there[int(which * len(there)) :][:1]:
            kill_worker(worker)
    elif victim == "all":
        for worker in workers():
            kill_worker(worker)
    if victim in ("runner", "all"):
        for runner in runners:
            if runner.poll() is None:
                kill(runner.pid)
                count["runners_killed"] += 1
            runner.wait()
        wait_until("workers outlive their runner", lambda: not site.processes())
    for runner in runners:
        # A run that lost a worker ends by itself.
        runner.wait()


def check(site, expected):
    made = site.results()
    if made.keys() != expected.keys():
        raise Fault(f"other results than undisturbed: {sorted(made.keys() ^ expected.keys())}")
    for name, content in expected.items():
        if made[name] != content:
            raise Fault(f"{name} has other bytes than undisturbed")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def finish(site, chance, expected, undisturbed, code, count):
    """The last start, undisturbed, and everything that must be true then."""
    count["starts"] += 1
    ended = site.start(chance.randint(1, 3)).wait()
    if ended != code:
        raise Fault(f"the last run ended with {ended}, the undisturbed one with {code}")
    check(site, expected)
    checked = site.ask("fsck", "--deep", "--json")
    report = json.loads(checked.stdout)
    for finding in report["findings"]:
        count["leftovers"][finding["kind"]] = count["leftovers"].get(finding["kind"], 0) + 1
    if checked.returncode != 0:
        raise Fault(f"fsck found damage: {checked.stdout}")
    swept = site.ask("gc", "--delete", "--json")
    if swept.returncode != 0:
        raise Fault(f"gc failed: {swept.stderr}")
    for folder in ["locks", "work", "quarantine", "scratch"]:
        # Checkpoints of a stage that fails stay, disturbed or not.
        if names(site.cache / folder) != names(undisturbed.cache / folder):
            raise Fault(f"{folder}/ has {names(site.cache / folder)}")
    again = site.ask("run", site.args.file, *site.args.more, "--outputs", str(site.outputs), "--json")
    ran = [line for line in again.stdout.splitlines() if json.loads(line)["what"]["event"] == "finished"]
    if ran:
        raise Fault(f"one more run ran {ran}")
    check(site, expected)
    wait_until("processes are left over", lambda: not site.processes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", default="tools/chaos.yaml", help="the pipeline")
    parser.add_argument("more", nargs="*", default=[], help="more arguments of `compt run`, after `--`")
    parser.add_argument("--minutes", type=float, default=5.0, help="begin no new cache after so long")
    parser.add_argument("--caches", type=int, help="stop after so many caches instead")
    parser.add_argument("--kills", type=int, default=8, help="most disturbed starts with one cache")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and the victims")
    parser.add_argument("--compt", type=Path, default=Path("target/debug/compt"))
    parser.add_argument("--project", type=Path, default=Path("."), help="the folder to run in")
    args = parser.parse_args()
    args.compt = args.compt.resolve()

    chance = random.Random(args.seed)
    count = {"caches": 0, "starts": 0, "runners_killed": 0, "workers_killed": 0, "programs_killed": 0, "leftovers": {}}
    folder = Path(tempfile.mkdtemp(prefix="compt-chaos-"))
    begun = time.monotonic()
    undisturbed = Site(folder / "undisturbed", args)
    code = undisturbed.start(1).wait()
    longest = time.monotonic() - begun
    expected = undisturbed.results()
    if not any(name.startswith("outputs/") for name in expected):
        sys.exit(f"the undisturbed run ended with {code} and without results")
    while count["caches"] < args.caches if args.caches else time.monotonic() - begun < 60 * args.minutes:
        site = Site(folder / f"cache-{count['caches']}", args)
        try:
            for _ in range(chance.randint(1, args.kills)):
                disturb(site, chance, longest, count)
            finish(site, chance, expected, undisturbed, code, count)
        except Fault as fault:
            sys.exit(f"seed {args.seed}: {fault}\nsee {folder / site.cache.parent.name}")
        finally:
            for process in site.processes():
                kill(process)
        shutil.rmtree(site.cache.parent)
        count["caches"] += 1
    shutil.rmtree(folder)
    print(json.dumps({"seed": args.seed, "seconds": round(time.monotonic() - begun, 1), "results": len(expected), **count}))


if __name__ == "__main__":
    main()
