#!/usr/bin/env python3
"""What `make bench` runs: training and evaluation throughput of compt beside transformers + PEFT on the same shape and
the same batches, in turn; the time of a run that has nothing to do; peak memory. One JSON object per line.

The peer is `peer_prompt_tuning.py` in the folder that COMPT_SHARED names (or ../shared); it runs in a Python environment
of its own under target/bench/, made once by pip, or the one that COMPT_PEER_PYTHON names. Without it, compt's own figures
are printed and the reason is said. Nothing else should run meanwhile: OpenMP threads that wait for a core spin.
"""
import argparse
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "bench"
SHARED = pathlib.Path(os.environ.get("COMPT_SHARED", ROOT.parent / "shared"))
PEER = SHARED / "bench" / "peer_prompt_tuning.py"


def say(**figures):
    print(json.dumps(figures), flush=True)


def peer_python():
    """The peer's interpreter, or the reason why there is none."""
    if not PEER.exists():
        return None, f"{PEER} is not there; COMPT_SHARED names the folder with bench/"
    if "COMPT_PEER_PYTHON" in os.environ:
        return os.environ["COMPT_PEER_PYTHON"], None
    python = WORK / "peer" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", WORK / "peer"], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "torch==2.11.0", "transformers", "peft", "safetensors"]
        if subprocess.run(install).returncode != 0:
            return None, "pip could not install torch, transformers and peft"
    return str(python), None


def last_json(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        sys.exit(f"error: {' '.join(map(str, command))} failed\n{done.stdout}{done.stderr}")
    return json.loads(lines[-1])


def step_gflop(folder, batches, batch, prompt):
    """Multiplications and additions of a training step, in units of 1e9, from the shapes alone: no padding, forward once
    and once more backward to the inputs (the weights are frozen). Counted are 2 per weight and token, 4 per
    pair of attending positions and attention channel."""
    config = json.loads((folder / "config.json").read_text())
    d, inner, ff = config["d_model"], config["num_heads"] * config["d_kv"], config["d_ff"]
    rows = [json.loads(line) for line in (folder / "train.order.jsonl").read_text().splitlines()]
    total = 0
    for i in range(batches * batch):
        row = rows[(i + 2 * batch) % len(rows)]
        source, target = len(row["input_ids"]) + prompt, len(row["labels"])
        encoder = source * (2 * 4 * d * inner + 2 * 2 * d * ff) + 4 * source * source * inner
        decoder = target * (2 * 6 * d * inner + 2 * 2 * d * ff) + 4 * target * target * inner
        cross = source * 2 * 2 * d * inner + 4 * source * target * inner
        total += encoder * config["num_layers"] + (decoder + cross) * config["num_decoder_layers"]
        total += target * 2 * d * config["vocab_size"]
    return 2 * total / batches / 1e9


def throughput(args):
    data = WORK / "small"
    ours = ROOT / "target" / "debug" / "examples" / "throughput"
    python, missing = peer_python()
    if python and not (data / "model.safetensors").exists():
        subprocess.run([python, PEER, "make", data, "--size", "small"], check=True, stdout=subprocess.DEVNULL)
    if not (data / "model.safetensors").exists():
        say(bench="throughput", skipped=missing)
        return
    # The peer shuffles its rows with Python's generator; we read the same rows in that order.
    rows = (data / "train.jsonl").read_text().splitlines()
    random.Random(1).shuffle(rows)
    (data / "train.order.jsonl").write_text("\n".join(rows) + "\n")
    threads = str(os.cpu_count())
    commands = {
        "train": ["--steps", str(args.steps)],
        "eval": ["--examples", str(args.examples)],
    }
    for command, more in commands.items():
        figures = {"compt": [], "peer": []}
        for _ in range(args.rounds):
            order = ["--rows", data / "train.order.jsonl"] if command == "train" else []
            figures["compt"].append(last_json([ours, command, data, "--threads", threads, *more, *order]))
            if python:
                figures["peer"].append(last_json([python, PEER, command, data, *more]))
        median = {
            who: {key: statistics.median(run[key] for run in runs) for key in ("examples_per_s", "peak_rss_mib")}
            for who, runs in figures.items()
            if runs
        }
        if command == "train":
            best = last_json([ours, "peak", data, "--threads", threads])["gflops"]
            step = statistics.median(run["s_per_step"] for run in figures["compt"])
            work = step_gflop(data, args.steps, 12, 20)
            share = work / step / best
            say(bench="matrix_peak", gflops=best, step_gflop=round(work, 1), share_of_peak=round(share, 3))
        for who, runs in figures.items():
            for run in runs:
                say(bench=command, who=who, **{k: run[k] for k in ("examples_per_s", "peak_rss_mib") if k in run})
        if python:
            say(
                bench=command,
                rounds=args.rounds,
                ratio=round(median["compt"]["examples_per_s"] / median["peer"]["examples_per_s"], 2),
                memory_ratio=round(median["compt"]["peak_rss_mib"] / median["peer"]["peak_rss_mib"], 2),
                **{f"{who}_{key}": value for who, of in median.items() for key, value in of.items()},
            )
        else:
            say(bench=command, rounds=args.rounds, ratio=None, reason=missing, **median["compt"])


def no_op(args):
    compt = ROOT / "target" / "debug" / "compt"
    command = [compt, "run", "pipelines/quickstart.yaml", "--cache", WORK / "cache", "--outputs", WORK / "outputs"]
    first = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if first.returncode != 0:
        sys.exit(f"error: the quickstart failed\n{first.stdout}")
    seconds = []
    for _ in range(max(args.rounds, 5)):
        start = time.perf_counter()
        again = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seconds.append(time.perf_counter() - start)
    stages = re.search(r"(\d+) stages: 0 run", again.stdout)
    say(bench="no_op", stages=int(stages.group(1)) if stages else None, seconds=round(statistics.median(seconds), 4))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--examples", type=int, default=200)
    args = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    no_op(args)
    throughput(args)


if __name__ == "__main__":
    main()
