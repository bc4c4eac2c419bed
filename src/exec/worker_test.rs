//! Worker processes against a double that can fail in ways the real one can't be made to.

use std::time::Duration;

use serde_json::{Value, json};

use super::log::Log;
use super::testing::{double, job};
use super::worker::{Fault, PATIENCE, Setting, Worker};
use crate::protocol::{PROTOCOL, Reporter, StageError, StageErrorKind};

#[derive(Default)]
struct Heard {
    progress: Vec<(u64, u64, String)>,
    log: Vec<String>,
    facts: Vec<(String, Value)>,
}

impl Reporter for Heard {
    fn progress(&mut self, done: u64, total: u64, unit: &str, remark: &str) {
        self.progress.push((done, total, format!("{unit} {remark}")));
    }

    fn log(&mut self, text: &str) {
        self.log.push(text.to_owned());
    }

    fn fact(&mut self, name: &str, value: Value) {
        self.facts.push((name.to_owned(), value));
    }
}

fn setting() -> Setting {
    Setting { threads: 3, gpus: vec!["1".into()] }
}

/// Starts a double whose body of a job is this Python code, and runs one job.
fn run(body: &str) -> (Result<(), Fault>, Heard, String) {
    let folder = tempfile::tempdir().unwrap();
    let program = double(folder.path(), body);
    let mut worker = Worker::start(&program, setting()).unwrap();
    worker.greet(PATIENCE).unwrap();
    let job = job(7, folder.path());
    let log = Log::create(&folder.path().join("log"), "fit", 1, Default::default()).unwrap();
    let mut heard = Heard::default();
    let result = worker.run(&job, &log, &mut heard);
    worker.leave();
    let text = fs_err::read_to_string(folder.path().join("log")).unwrap();
    (result, heard, text)
}

/// The error of a worker that can't go on.
fn fault(body: &str) -> StageError {
    match run(body).0 {
        Err(Fault::Worker(error)) => error,
        other => panic!("expected a fault of the worker, got {other:?}"),
    }
}

/// Why the first line of this shell script is not accepted as an introduction.
fn refusal(script: &str, patience: Duration) -> StageError {
    let folder = tempfile::tempdir().unwrap();
    let program = super::testing::script(folder.path(), script);
    Worker::start(&program, setting()).unwrap().greet(patience).unwrap_err()
}

#[test]
fn a_job_is_reported_and_the_worker_takes_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let program = double(
        folder.path(),
        "say({'progress': dict(id=id, done=1, total=2, unit='steps', remark='loss 0.5')})\n\
         say({'log': dict(id=id, text='hello')})\n\
         say({'done': dict(id=id, facts=dict(threads=os.environ['OMP_NUM_THREADS'], gpus=os.environ['CUDA_VISIBLE_DEVICES'], pid=os.getpid()))})",
    );
    let mut worker = Worker::start(&program, setting()).unwrap();
    assert_eq!(worker.greet(PATIENCE).unwrap().devices, ["cpu"]);
    let mut heard = Heard::default();
    for id in [7, 8] {
        worker.run(&job(id, folder.path()), &Log::nowhere(), &mut heard).unwrap();
    }
    worker.leave();
    assert_eq!(heard.progress, vec![(1, 2, "steps loss 0.5".to_owned()); 2]);
    assert_eq!(heard.log, ["hello", "hello"]);
    assert_eq!(heard.facts[0], ("gpus".to_owned(), json!("1")));
    assert_eq!(heard.facts[2], ("threads".to_owned(), json!("3")));
    assert_eq!(heard.facts[1], heard.facts[4], "one process for both jobs");
}

#[test]
fn a_failed_job_leaves_the_worker_alive() {
    let (result, _, _) =
        run("say({'failed': dict(id=id, error=dict(kind='input', message='no rows', hint='add some'))})");
    match result {
        Err(Fault::Job(error)) => assert_eq!(error, StageError::input("no rows").with_hint("add some")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_killed_worker_is_one_failure_with_advice() {
    let error = fault("os.kill(os.getpid(), 9)");
    assert_eq!(error.kind, StageErrorKind::Environment);
    assert!(
        error.message.ends_with("was killed by signal 9, perhaps because the machine ran out of memory"),
        "{error}"
    );
    assert!(error.hint.unwrap().contains("`--jobs 1`"));
}

#[test]
fn a_worker_that_answers_has_no_checkpoints_to_go_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let program = double(folder.path(), "os.kill(os.getpid(), 9)");
    let mut worker = Worker::start(&program, setting()).unwrap();
    worker.greet(PATIENCE).unwrap();
    let error = worker.prepare(&job(7, folder.path())).unwrap_err();
    assert!(error.message.contains("was killed by signal 9"), "{error}");
    assert_eq!(error.hint.as_deref(), Some("answer fewer texts at once with `--batch 1`"));
}

#[test]
fn a_crash_repeats_the_last_words() {
    let error = fault("sys.stderr.write('terminate called\\n'); sys.stderr.flush(); os.abort()");
    assert!(error.message.contains("crashed with signal 6; its last words:\n  terminate called"), "{error}");
    let error = fault("sys.stderr.write('no such library\\n'); sys.stderr.flush(); os._exit(3)");
    assert!(error.message.contains("ended with code 3; its last words:\n  no such library"), "{error}");
}

#[test]
fn standard_error_and_stray_prints_go_to_the_log() {
    let (result, _, log) = run("print('a remark'); sys.stdout.flush()\n\
         sys.stderr.write('a warning\\n'); sys.stderr.flush()\n\
         for _ in range(6000):\n\
         \x20   if 'a warning' in open(os.path.dirname(job['output']) + '/log').read(): break\n\
         \x20   time.sleep(0.01)\n\
         say({'done': dict(id=id, facts={})})");
    assert!(result.is_ok());
    assert!(log.contains("] stdout: a remark\n"), "{log}");
    assert!(log.contains("] stderr: a warning\n"), "{log}");
}

#[test]
fn a_broken_message_is_a_bug() {
    for body in ["print('{\"done\": 1'); sys.stdout.flush()", "say({'done': dict(id=99, facts={})})"] {
        let error = fault(body);
        assert_eq!(error.kind, StageErrorKind::Bug);
        assert!(error.message.contains("which is no message of job 7"), "{error}");
    }
}

#[test]
fn an_introduction_is_checked() {
    let hello = |protocol: &str, version: &str| {
        let hello = json!({"hello": {"protocol": 0, "version": version, "libtorch": "2", "devices": []}}).to_string();
        format!("echo '{}'; sleep 5", hello.replace("\"protocol\":0", &format!("\"protocol\":{protocol}")))
    };
    let error = refusal(&hello("1", "0.0.1"), PATIENCE);
    let ours = env!("CARGO_PKG_VERSION");
    assert!(
        error.message.ends_with(&format!(
            "is version 0.0.1 (protocol 1), but this `compt` is version {ours} (protocol {PROTOCOL})"
        )),
        "{error}"
    );
    assert_eq!(error.hint.as_deref(), Some("build both together with `make build`"));
    assert!(refusal(&hello("9", ours), PATIENCE).message.contains("(protocol 9)"));
    let error = refusal("echo usage: something else; sleep 5", PATIENCE);
    assert!(error.message.ends_with("began with `usage: something else` instead of an introduction"), "{error}");
    let error = refusal("sleep 60", Duration::from_millis(50));
    assert!(error.message.ends_with("did not introduce itself within 0.05 seconds"), "{error}");
    let error = refusal("echo libtorch_cpu.so not found >&2; exit 127", PATIENCE);
    assert!(error.message.ends_with("ended with code 127; its last words:\n  libtorch_cpu.so not found"), "{error}");
    assert!(error.hint.unwrap().contains("compt doctor"));
}

#[test]
fn a_killer_ends_the_wait() {
    let folder = tempfile::tempdir().unwrap();
    let program = double(folder.path(), "time.sleep(600)");
    let mut worker = Worker::start(&program, setting()).unwrap();
    worker.greet(PATIENCE).unwrap();
    let killer = worker.killer();
    let job = job(7, folder.path());
    std::thread::scope(|scope| {
        let running = scope.spawn(|| worker.run(&job, &Log::nowhere(), &mut Heard::default()));
        killer.kill();
        assert!(matches!(running.join().unwrap(), Err(Fault::Worker(_))));
    });
}

/// The kernel ties a child's life to the thread that started it, and so to the runner's process.
#[cfg(target_os = "linux")]
#[test]
fn a_worker_dies_with_who_started_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = double(folder.path(), "time.sleep(600)");
    let starter = std::thread::spawn(move || {
        let mut worker = Worker::start(&program, setting()).unwrap();
        worker.greet(PATIENCE).unwrap();
        worker
    });
    let mut worker = starter.join().unwrap();
    match worker.run(&job(7, folder.path()), &Log::nowhere(), &mut Heard::default()) {
        Err(Fault::Worker(error)) => assert!(error.message.contains("killed by signal 9"), "{error}"),
        other => panic!("expected it to be dead, got {other:?}"),
    }
}
