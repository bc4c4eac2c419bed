//! The same work as a common Python stack does in a benchmark of prompt tuning: trains a plain prompt, or generates, and
//! prints one JSON line.
//!
//! ```text
//! throughput train DIR --steps 20
//! throughput eval DIR --examples 200
//! throughput peak DIR
//! ```
//! `DIR` holds a checkpoint, `train.jsonl` and `test.jsonl` with rows of `input_ids` and `labels`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use compt_worker::model::{Batch, Generation, Mode, Position, Prompts, T5, runtime};
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Command {
    Train,
    Eval,
    /// The machine's best float32 matrix product.
    Peak,
}

#[derive(Parser)]
struct Arguments {
    command: Command,
    folder: PathBuf,
    #[arg(long, default_value_t = 20)]
    steps: usize,
    #[arg(long, default_value_t = 200)]
    examples: usize,
    #[arg(long, default_value_t = 12)]
    batch: usize,
    #[arg(long, default_value_t = 20)]
    prompt: i64,
    #[arg(long, default_value_t = 8)]
    new_tokens: usize,
    #[arg(long, default_value_t = 2)]
    threads: i32,
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Another file of rows than the split's, for the order of another program.
    #[arg(long)]
    rows: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Row {
    input_ids: Vec<i64>,
    labels: Vec<i64>,
}

fn read(file: &Path) -> Result<Vec<Row>, Box<dyn Error>> {
    fs_err::read_to_string(file)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn batch<'a>(rows: impl Iterator<Item = &'a Row>) -> Batch {
    let (sources, targets): (Vec<_>, Vec<_>) = rows.map(|row| (row.input_ids.clone(), row.labels.clone())).unzip();
    let prompt_of_row = vec![Some(0); sources.len()];
    Batch { sources, targets, prompt_of_row }
}

/// The highest resident memory of this process, in MiB.
fn peak_memory() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Plain AdamW on one tensor, as `torch.optim.AdamW(lr=0.05)` does it.
struct AdamW {
    first: Tensor,
    second: Tensor,
    step: i32,
}

impl AdamW {
    fn update(&mut self, parameter: &mut Tensor, gradient: &Tensor) {
        const RATE: f64 = 0.05;
        tch::no_grad(|| {
            self.step += 1;
            let _ = parameter.g_mul_scalar_(1.0 - RATE * 0.01);
            self.first = &self.first * 0.9 + gradient * 0.1;
            self.second = &self.second * 0.999 + gradient * gradient * 0.001;
            let first = &self.first / (1.0 - 0.9_f64.powi(self.step));
            let second = (&self.second / (1.0 - 0.999_f64.powi(self.step))).sqrt() + 1e-8;
            *parameter -= first / second * RATE;
        });
    }
}

fn train(arguments: &Arguments, model: &T5, rows: &[Row]) -> Result<String, Box<dyn Error>> {
    let ids: Vec<i64> = (100..100 + arguments.prompt).collect();
    let mut prompt = model.embed(&ids)?.unsqueeze(0).set_requires_grad(true);
    let mut optimizer = AdamW { first: prompt.zeros_like(), second: prompt.zeros_like(), step: 0 };
    let mode = Mode::Training { dropout: model.config().dropout_rate };
    let (mut start, mut tokens, mut last) = (Instant::now(), 0, 0.0);
    for step in 0..arguments.steps + 2 {
        if step == 2 {
            (start, tokens) = (Instant::now(), 0);
        }
        let chosen = (0..arguments.batch).map(|index| &rows[(step * arguments.batch + index) % rows.len()]);
        let batch = batch(chosen);
        tch::manual_seed(step as i64);
        let prompts = Prompts { rows: &prompt, position: Position::Front };
        let loss = model.losses(&batch, Some(&prompts), mode)?.mean();
        let gradient = Tensor::run_backward(&[&loss], &[&prompt], false, false).remove(0);
        optimizer.update(&mut prompt, &gradient);
        last = loss.double_value(&[]);
        tokens += batch.sources.iter().map(Vec::len).sum::<usize>();
    }
    let wall = start.elapsed().as_secs_f64();
    let steps = arguments.steps as f64;
    Ok(format!(
        r#""s_per_step": {:.4}, "examples_per_s": {:.3}, "tokens_per_s": {:.1}, "loss": {last:.4}"#,
        wall / steps,
        steps * arguments.batch as f64 / wall,
        tokens as f64 / wall
    ))
}

fn evaluate(arguments: &Arguments, model: &T5, rows: &[Row]) -> Result<String, Box<dyn Error>> {
    let ids: Vec<i64> = (100..100 + arguments.prompt).collect();
    let prompt = model.embed(&ids)?.unsqueeze(0);
    let prompts = Prompts { rows: &prompt, position: Position::Front };
    let options = Generation { max_new_tokens: arguments.new_tokens, repetition_penalty: 1.0 };
    let rows = &rows[..arguments.examples.min(rows.len())];
    let mut generated = 0;
    let mut pass = |rows: &[Row]| -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        for chunk in rows.chunks(arguments.batch) {
            let outputs = model.generate(&batch(chunk.iter()), Some(&prompts), &options)?;
            generated += outputs.iter().map(Vec::len).sum::<usize>();
        }
        Ok(start.elapsed().as_secs_f64())
    };
    pass(&rows[..arguments.batch.min(rows.len())])?;
    let wall = pass(rows)?;
    Ok(format!(r#""examples_per_s": {:.3}, "generated": {generated}"#, rows.len() as f64 / wall))
}

/// GFLOP/s of a product of `[n, n]` matrices, the best of ten and of the two libraries behind libtorch.
fn peak() -> f64 {
    const N: i64 = 2048;
    let (left, right) =
        (Tensor::rand([N, N], (Kind::Float, Device::Cpu)), Tensor::rand([N, N], (Kind::Float, Device::Cpu)));
    // Rows are pixels and columns are channels: [1, N, 1, N] in channels-last layout, without a copy.
    let image = left.view([1, 1, N, N]).permute([0, 3, 1, 2]);
    let kernel = right.view([N, N, 1, 1]);
    let mut best = f64::INFINITY;
    for _ in 0..10 {
        let start = Instant::now();
        let _ = left.matmul(&right);
        best = best.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let _ = image.conv2d(&kernel, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1);
        best = best.min(start.elapsed().as_secs_f64());
    }
    2.0 * (N as f64).powi(3) / best / 1e9
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    runtime::make_deterministic(arguments.threads);
    if arguments.command == Command::Peak {
        println!(
            r#"{{"program": "compt", "command": "peak", "threads": {}, "gflops": {:.1}}}"#,
            arguments.threads,
            peak()
        );
        return Ok(());
    }
    let device = compt_worker::cuda::device(&arguments.device)?;
    let model = T5::load(&arguments.folder, device, Kind::Float)?;
    let split = if arguments.command == Command::Train { "train.jsonl" } else { "test.jsonl" };
    let rows = read(&arguments.rows.clone().unwrap_or_else(|| arguments.folder.join(split)))?;
    let (name, figures) = match arguments.command {
        Command::Train => ("train", train(&arguments, &model, &rows)?),
        Command::Eval => ("eval", evaluate(&arguments, &model, &rows)?),
        Command::Peak => unreachable!("answered above"),
    };
    println!(
        r#"{{"program": "compt", "command": "{name}", "threads": {}, "batch": {}, "prompt_tokens": {}, "peak_rss_mib": {}, {figures}}}"#,
        arguments.threads,
        arguments.batch,
        arguments.prompt,
        peak_memory()
    );
    Ok(())
}
