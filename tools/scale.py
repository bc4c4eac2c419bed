#!/usr/bin/env python3
"""What running many small stages costs: compt beside ninja, make, snakemake and dvc, where they are at hand.

The graph is the same for all: layers in which each stage reads two of the layer before, and a long chain. A stage
writes one line to a file by `sh`; in-process stages of compt (`fetch` of two synthetic rows) cost no process. Tools run
in turn, round by round, so that what else the machine does hits all alike. One JSON object per line: medians, minima
and maxima of seconds, processor time of the whole tree, and the memory of the largest process; ratios to ninja; last,
what each further stage costs compt from 100 stages to 100,000: a level line, if the cost per stage is constant. Tools
that are not on PATH are left out; COMPT names another executable of ours. What an empty file costs where they write is told, too.

  tools/scale.py [--rounds 3] [--sizes 100,1000,10000,100000] [--tools compt,ninja,make,snakemake,dvc] [--only PART]
                 [--jobs 2] [--run-up-to 10000]
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMPT = os.environ.get("COMPT", str(ROOT / "target" / "debug" / "compt"))
WIDTH = 100
PEERS = ["ninja", "make", "snakemake", "dvc"]
# Slower tools are not asked for so many stages; dvc alone would take an hour for 1,000.
MOST = {"snakemake": 1_000, "dvc": 100}
# From so many stages on, the first run is made once.
ONCE = 10_000
QUIET = ["--no-progress", "--jobs", str(os.cpu_count())]


def say(**figures):
    print(json.dumps(figures), flush=True)


def layered(count):
    """Names with what they read: layers of equal width, and a chain of a tenth of the stages."""
    width = min(WIDTH, max(count // 10, 1))
    layers = (count - count // 10) // width
    stages = []
    for i in range(layers):
        for j in range(width):
            reads = [] if i == 0 else sorted({f"l{i - 1}_{j}", f"l{i - 1}_{(j + 1) % width}"})
            stages.append((f"l{i}_{j}", reads))
    for k in range(count - layers * width):
        stages.append((f"c{k}", [f"c{k - 1}"] if k else []))
    return stages


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def line_of(name):
    return f"echo {name} > out/{name}.txt"


def make_compt(folder, count):
    """The same graph as commands, each a stage of its own."""
    lines = ["name: many", "stages:"]
    for name, reads in layered(count):
        read = f"from: [{', '.join(reads)}], " if reads else ""
        lines.append(f"  {name}:")
        lines.append(f"    run: {{ command: {{ {read}program: [sh, -c, \"echo {name} > out.txt\"], outputs: [out.txt] }} }}")
    write(folder / "many.yaml", "\n".join(lines) + "\n")


def make_matrix(folder, count):
    """In-process stages of three kinds along one axis: data, shots of it, texts of these; and what is left of `count`."""
    third = max(count // 3, 1)
    seeds = ", ".join(str(seed) for seed in range(third))
    rest = count - 3 * third
    more = f"  rest:\n    matrix: {{ n: [{', '.join(str(n) for n in range(rest))}] }}\n" if rest else ""
    run = 'run: { fetch: { dataset: rte, data: synthetic, data_seed: "${%s}", rows: { train: 2, validation: 2, test: 2 } } }'
    more += f"    {run % 'n'}\n" if rest else ""
    write(
        folder / "matrix.yaml",
        f"name: matrix\naxes: {{ seed: [{seeds}] }}\nstages:\n"
        f"  data:\n    matrix: {{ seed: axes.seed }}\n    {run % 'seed'}\n"
        "  shots:\n    run: { sample: { from: data, k: 1, test_samples: 1, validation_samples: 1, seed: \"${seed}\" } }\n"
        f"  text:\n    run: {{ format: {{ from: shots }} }}\n{more}",
    )


def make_ninja(folder, count):
    lines = ["rule sh", "  command = $cmd"]
    for name, reads in layered(count):
        lines.append(f"build out/{name}.txt: sh {' '.join(f'out/{read}.txt' for read in reads)}")
        lines.append(f"  cmd = {line_of(name)}")
    write(folder / "build.ninja", "\n".join(lines) + "\n")


def make_make(folder, count):
    stages = layered(count)
    lines = ["all: " + " ".join(f"out/{name}.txt" for name, _ in stages)]
    for name, reads in stages:
        lines.append(f"out/{name}.txt: {' '.join(f'out/{read}.txt' for read in reads)}")
        # A subshell keeps make from running the line without a shell, which no other tool does.
        lines.append(f"\t@({line_of(name)})")
    write(folder / "Makefile", "\n".join(lines) + "\n")


def make_snakemake(folder, count):
    stages = layered(count)
    lines = ["rule all:", f"    input: {[f'out/{name}.txt' for name, _ in stages]!r}"]
    for name, reads in stages:
        lines.append(f"rule {name}:\n    input: {[f'out/{read}.txt' for read in reads]!r}")
        lines.append(f"    output: 'out/{name}.txt'\n    shell: '{line_of(name)}'")
    write(folder / "Snakefile", "\n".join(lines) + "\n")


def make_dvc(folder, count):
    lines = ["stages:"]
    for name, reads in layered(count):
        lines.append(f"  {name}:\n    cmd: {line_of(name)}\n    outs: [out/{name}.txt]")
        if reads:
            lines.append(f"    deps: [{', '.join(f'out/{read}.txt' for read in reads)}]")
    write(folder / "dvc.yaml", "\n".join(lines) + "\n")
    subprocess.run(["dvc", "init", "--no-scm", "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for setting in ("core.analytics", "core.check_update"):
        subprocess.run(["dvc", "config", setting, "false"], cwd=folder, check=True, stdout=subprocess.DEVNULL)


MAKERS = {"ninja": make_ninja, "make": make_make, "snakemake": make_snakemake, "dvc": make_dvc, "compt": make_compt}


def commands(jobs):
    """How each tool is told to run so many stages at once. compt counts a core for each program unless it is told that there
    are more."""
    return {
        "compt": [COMPT, "run", "many.yaml", "--no-progress", "--jobs", jobs, "--resource", f"cpu={jobs}"],
        "ninja": ["ninja", f"-j{jobs}", "--quiet"],
        "make": ["make", "-s", f"-j{jobs}", "all"],
        "snakemake": ["snakemake", "--cores", str(jobs), "--quiet", "all"],
        "dvc": ["dvc", "repro", "-q"],
    }


def set_aside(folder):
    """As if nothing had run. What has is deleted in the end only: some disks are slow after that."""
    aside = pathlib.Path(tempfile.mkdtemp(dir=folder.parent))
    for name in [".compt", "outputs"]:
        path = folder / name
        if path.exists():
            path.rename(aside / path.name)


def creating(folder, count=1_000):
    """Microseconds for a new, empty file where the tools are to write: on ext4 without a journal ten times as many where much was
    deleted lately, for which every tool waits that makes files."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
    start = time.perf_counter()
    for number in range(count):
        os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY))
    return round((time.perf_counter() - start) / count * 1e6, 1)


def once(command, folder):
    """Seconds, processor seconds of the whole tree, and MiB of the largest process; the command must succeed.

    A small Python of its own starts the command, so that the memory counted is not that of this process. What the command says
    goes to a file: a reader at the end of a pipe would take a core from it, line by line."""
    probe = (
        "import json,resource,subprocess,sys,tempfile,time\n"
        "said=tempfile.TemporaryFile()\n"
        "t=time.perf_counter(); done=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=said)\n"
        "s=time.perf_counter()-t; u=resource.getrusage(resource.RUSAGE_CHILDREN); said.seek(0)\n"
        "print(json.dumps([s,u.ru_utime+u.ru_stime,u.ru_maxrss/1024,done.returncode,said.read().decode()[-800:]]))"
    )
    words = [str(word) for word in command]
    told = subprocess.run([sys.executable, "-c", probe, *words], cwd=folder, stdout=subprocess.PIPE, check=True)
    seconds, cpu, mib, code, errors = json.loads(told.stdout)
    if code != 0:
        sys.exit(f"error: {' '.join(words)} ended with code {code}\n{errors}")
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_mib": mib}


def medians(runs):
    figures = {key: round(statistics.median(run[key] for run in runs), 4) for key in ("seconds", "cpu_seconds")}
    figures.update(
        least=round(min(run["seconds"] for run in runs), 4),
        most=round(max(run["seconds"] for run in runs), 4),
        peak_mib=round(max(run["peak_mib"] for run in runs), 1),
    )
    return figures


def beside_ninja(bench, count, runs):
    base = statistics.median(run["seconds"] for run in runs["ninja"]) if runs.get("ninja") else None
    for tool, of in runs.items():
        if of:
            figures = medians(of)
            ratio = round(figures["seconds"] / base, 2) if base else None
            say(bench=bench, stages=count, tool=tool, rounds=len(of), to_ninja=ratio, **figures)


def start(folder, tools, rounds):
    runs = {tool: [] for tool in tools}
    for _ in range(max(rounds, 9)):
        for tool in tools:
            runs[tool].append(once([COMPT if tool == "compt" else tool, "--version"], folder))
    beside_ninja("version", 0, runs)


def processes(work, tools, rounds, count, jobs):
    """A first run and a run without anything to do, of stages that start a shell.

    Each round has new folders, side by side: in which part of the disk a folder is, and how slow that is, is chance, and would
    else be the same chance for all rounds of a tool."""
    tools = [tool for tool in tools if count <= MOST.get(tool, count)]
    run = commands(jobs)
    first, again = {tool: [] for tool in tools}, {tool: [] for tool in tools}
    empty = [creating(work)]
    for _ in range(rounds):
        place = pathlib.Path(tempfile.mkdtemp(dir=work))
        folders = {tool: place / tool for tool in tools}
        for tool, folder in folders.items():
            (folder / "out").mkdir(parents=True)
            MAKERS[tool](folder, count)
        for tool, folder in folders.items():
            first[tool].append(once(run[tool], folder))
        for tool, folder in folders.items():
            again[tool].append(once(run[tool], folder))
    empty.append(creating(work))
    say(bench="microseconds_for_an_empty_file", stages=count, before=empty[0], after=empty[1])
    beside_ninja("first_run_of_commands", count, first)
    beside_ninja("nothing_to_do_commands", count, again)


def in_process(work, rounds, count, run_it):
    """Plan, first run and no-op of stages inside compt. A first run of many is long enough to be made once."""
    folder = work / f"matrix{count}"
    folder.mkdir()
    make_matrix(folder, count)
    run, plan = [COMPT, "run", "matrix.yaml", *QUIET], [COMPT, "plan", "matrix.yaml"]
    runs = {"plan": [], "first_run": [], "nothing_to_do": [], "plan_when_done": []}
    for number in range(rounds):
        if count < ONCE or number == 0:
            set_aside(folder)
            runs["plan"].append(once(plan, folder))
            if run_it:
                runs["first_run"].append(once(run, folder))
        if run_it:
            runs["nothing_to_do"].append(once(run, folder))
            runs["plan_when_done"].append(once(plan, folder))
    figures = {bench: medians(of) for bench, of in runs.items() if of}
    for bench, of in figures.items():
        say(bench=bench, stages=count, tool="compt", rounds=len(runs[bench]), **of)
    return figures


def line(figures):
    """What each further stage costs between one size and the next, in wall-clock and in processor microseconds: level, if the
    cost per stage is constant."""
    sizes = sorted(figures)
    for bench in ("plan", "first_run", "nothing_to_do", "plan_when_done"):
        for key in ("seconds", "cpu_seconds"):
            known = [(size, figures[size][bench][key]) for size in sizes if bench in figures[size]]
            further = {
                f"{few}-{many}": round((more - less) / (many - few) * 1e6, 1)
                for (few, less), (many, more) in zip(known, known[1:])
            }
            if further:
                say(bench="microseconds_per_further_stage", of=bench, what=key, **further)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default="100,1000,10000,100000")
    parser.add_argument("--tools", default=",".join(["compt", *PEERS]))
    parser.add_argument("--only", choices=["start", "processes", "in_process"])
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="commands at once; as many as there are cores")
    parser.add_argument("--run-up-to", type=int, default=10_000, help="larger graphs are planned, not run")
    args = parser.parse_args()
    tools = [tool for tool in args.tools.split(",") if tool == "compt" or shutil.which(tool)]
    missing = [tool for tool in args.tools.split(",") if tool not in tools]
    if missing:
        say(bench="scale", left_out=missing, reason="not on PATH")
    sizes = [int(size) for size in args.sizes.split(",")]
    with tempfile.TemporaryDirectory(prefix="compt-scale-") as folder:
        work = pathlib.Path(folder)
        if args.only in (None, "start"):
            start(work, tools, args.rounds)
        if args.only in (None, "processes"):
            for size in [size for size in sizes if size <= 1_000]:
                processes(work, tools, args.rounds, size, args.jobs)
        if args.only in (None, "in_process"):
            line({size: in_process(work, args.rounds, size, size <= args.run_up_to) for size in sizes})


if __name__ == "__main__":
    start_of_all = time.perf_counter()
    main()
    say(bench="scale", seconds=round(time.perf_counter() - start_of_all, 1))
