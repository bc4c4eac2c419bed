//! The command line: one file per subcommand. The only place that prints.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::{CommandFactory, Parser};

mod arguments;
mod check;
mod compare;
mod completions;
mod diff;
mod doctor;
mod dry_run;
mod failure;
mod fsck;
mod gc;
mod graph;
mod init;
mod list;
mod man;
mod notify;
mod plan;
mod predict;
mod report;
mod request;
mod room;
mod run;
mod runs;
mod schema;
mod session;
mod show;
mod status;
mod times;
pub mod ui;
mod verify;
mod why;

use crate::base::secrets::Secrets;
use crate::task::source::SourceSettings;
use arguments::{Arguments, Command};
use failure::Failure;

/// The command line with all its options, for who checks what is written about it.
pub fn command_line() -> clap::Command {
    Arguments::command()
}

/// Runs the command that was typed and prints what went wrong, if anything did.
pub fn main() -> ExitCode {
    mask_panics();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap's own text and code: 0 for --help and --version, 2 for a wrong command line. A closed pipe
            // (`compt --help | head`) is nobody's fault.
            if error.use_stderr() && asks_for_json(std::env::args_os()) {
                explain(&misread(&error), true);
            } else if let (true, Cow::Owned(masked)) =
                (error.use_stderr(), secrets().masked(&error.render().to_string()))
            {
                complain(&masked);
            } else {
                // Of `--help` and `--version` the text is the answer.
                let told = error.print();
                if !error.use_stderr() {
                    return end(false, || {
                        told.unwrap_or_else(unwritten);
                        Ok(())
                    });
                }
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let for_programs = arguments.command.is_for_programs();
    end(for_programs, || run_command(arguments.command))
}

/// The exit code of a command, after what it has to say about its failure. A panic is a failure too: its words are on
/// standard error already. So is an answer that could not be written; but a reader that went away (`compt plan | head`) has
/// had what it wanted.
fn end(for_programs: bool, command: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    // Nothing of the command outlives it but files, which are written whole or not at all.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(command))
        .unwrap_or_else(|_| Err(Failure::bug("the command did not come to its end")));
    let unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    let failure = match (result, unwritten) {
        (Err(failure), _) => failure,
        (Ok(()), Some(error)) if error.kind() != io::ErrorKind::BrokenPipe => Failure::Environment {
            message: format!("standard output can't be written: {error}"),
            hint: Some(
                "what it was to hold is not complete; free some space or write elsewhere, and type the same again"
                    .into(),
            ),
        },
        (Ok(()), _) => return ExitCode::SUCCESS,
    };
    explain(&failure, for_programs);
    ExitCode::from(failure.exit_code())
}

fn run_command(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Plan(arguments) => plan::plan(&arguments),
        Command::Why(arguments) => why::why(&arguments),
        Command::Graph(arguments) => graph::graph(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Predict(arguments) => predict::predict(&arguments),
        Command::Runs(arguments) => runs::runs(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Show(arguments) => show::show(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Schema(arguments) => schema::schema(&arguments),
        Command::Init(arguments) => init::init(&arguments),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Man(arguments) => man::man(&arguments),
        Command::Fsck(arguments) => fsck::fsck(&arguments),
        Command::Gc(arguments) => gc::gc(&arguments),
        Command::Verify(arguments) => verify::verify(&arguments),
    }
}

/// Whether the words of a command line that can't be read ask for JSON.
fn asks_for_json(words: impl Iterator<Item = OsString>) -> bool {
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let pair = |option: &str, value: &str| {
        let joined = format!("{option}={value}");
        words.contains(&joined) || words.windows(2).any(|two| two[0] == option && two[1] == value)
    };
    words.iter().any(|word| word == "--json") || pair("--output-format", "jsonl") || pair("--format", "json")
}

/// What clap says about a wrong command line, as a failure.
fn misread(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let (message, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let hint = rest.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    Failure::usage(message.trim_start_matches("error: "), hint)
}

/// Prints a failure on standard error: what was wrong, then what to do; for programs as one line of JSON.
fn explain(failure: &Failure, for_programs: bool) {
    let secrets = secrets();
    if for_programs {
        let mut value = failure.as_json();
        secrets.mask_json(&mut value);
        complain(&format!("{value}\n"));
        return;
    }
    if let Failure::Invalid(invalid) = failure {
        complain(&crate::spec::render(invalid, ui::colour(io::stderr().is_terminal())));
        return;
    }
    complain(&format!("error: {}\n", secrets.masked(&failure.to_string())));
    if let Some(hint) = failure.hint() {
        complain(&format!("\nhint: {}\n", secrets.masked(hint)));
    }
}

/// What must not get out: secrets of the environment, and the hub's token where it is in a file.
fn secrets() -> Secrets {
    let secrets = Secrets::of_environment();
    match SourceSettings::from_environment().token {
        Some(token) => secrets.with("HF_TOKEN", token.secret()),
        None => secrets,
    }
}

/// From here on the words of a panic are printed without secrets, and where it came from if `RUST_BACKTRACE` asks for that.
fn mask_panics() {
    std::panic::set_hook(Box::new(|panic| {
        complain(&format!("{}\n", secrets().masked(&panic.to_string())));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            complain(&format!("{trace}\n"));
        }
    }));
}

/// Prints something to know on standard error, where it is the last thing or the last but the error.
fn warn(message: &str) {
    complain(&format!("warning: {}\n", secrets().masked(message)));
}

/// Prints to standard error. Where that can't be written, nobody can be told so; `eprint!` would panic.
fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Why standard output could not be written, the first time that it could not.
static UNWRITTEN: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints to standard output. That it could not be written is told in the end, so that a command still has the code of what
/// it found.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        unwritten(error);
    }
}

/// Remembers that standard output could not be written.
fn unwritten(error: io::Error) {
    UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
}

/// A value as JSON for a program, with a line feed at its end.
fn as_json(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).expect("what is printed is plain data with text keys");
    format!("{value:#}\n")
}

/// A word of a shell command.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::process::ExitCode;

    use super::{end, shell_word};

    #[test]
    fn a_panic_ends_with_the_code_of_a_fault_of_ours() {
        assert_eq!(end(false, || panic!("index out of range")), ExitCode::from(1));
        assert_eq!(end(false, || Ok(())), ExitCode::SUCCESS);
    }

    /// The name of a variable that makes [`panics_when_it_is_asked_to`] panic.
    const ASKED: &str = "COMPT_TEST_PANIC";

    #[test]
    fn panics_when_it_is_asked_to() {
        if let Ok(words) = std::env::var(ASKED) {
            super::mask_panics();
            panic!("at {words}");
        }
    }

    #[test]
    fn a_panic_says_no_secret() {
        // In a process of its own: how panics are told is one thing for a whole process.
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cli::tests::panics_when_it_is_asked_to", "--nocapture"])
            .envs([(ASKED, "hf_abcdef"), ("HF_TOKEN", "hf_abcdef"), ("RUST_BACKTRACE", "1")])
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!output.status.success() && said.contains("\nat ***\n") && !said.contains("hf_abcdef"), "{said}");
        assert!(said.contains("src/cli/mod.rs") && said.contains("panics_when_it_is_asked_to"), "{said}");
    }

    #[test]
    fn words_survive_the_shell() {
        for word in ["k=32", "seed=[1, 2]", "", "it's", "a\"b$c"] {
            let output =
                std::process::Command::new("sh").args(["-c", &format!("printf %s {}", shell_word(word))]).output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), word);
        }
        assert_eq!(shell_word("pipelines/a.yaml"), "pipelines/a.yaml");
    }
}
