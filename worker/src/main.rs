//! `compt-worker`: runs the stages of compt that need tensors. The runner starts it; `--hello` shows that it works.

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use clap::Parser;
use compt::protocol::{FromWorker, ToWorker};
use compt_worker::body::{native, serve};

/// Runs stages of compt that need tensors: reads jobs as JSON lines on standard input, answers on standard output.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Introduce itself in one line of JSON, and leave.
    #[arg(long)]
    hello: bool,
}

/// The exit code when the runner is gone or speaks another language.
const LOST: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compt-worker: {error}");
            ExitCode::from(LOST)
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let mut output = native::take_standard_output()?;
    if arguments.hello {
        let line = serde_json::to_string(&FromWorker::Hello(serve::hello()))?;
        return io::Write::write_all(&mut output, format!("{line}\n").as_bytes());
    }
    let unfinished = Arc::new(AtomicUsize::new(0));
    let messages = listen(Arc::clone(&unfinished));
    serve::serve(messages.into_iter(), &mut output, &unfinished)
}

/// Reads messages on a thread of its own, so that a runner that dies while a job runs is noticed: the job would only
/// burn the processor then, and its checkpoint is safe.
fn listen(unfinished: Arc<AtomicUsize>) -> Receiver<ToWorker> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let message = match line.map(|line| serde_json::from_str::<ToWorker>(&line)) {
                Ok(Ok(message)) => message,
                Ok(Err(error)) => {
                    eprintln!("compt-worker: a message that can't be understood: {error}");
                    native::leave_at_once(LOST.into());
                }
                Err(_) => break,
            };
            if !matches!(message, ToWorker::Leave) {
                unfinished.fetch_add(1, Ordering::SeqCst);
            }
            if sender.send(message).is_err() {
                return;
            }
        }
        drop(sender);
        if unfinished.load(Ordering::SeqCst) > 0 {
            native::leave_at_once(LOST.into());
        }
    });
    receiver
}
