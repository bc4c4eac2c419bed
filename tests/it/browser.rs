//! The report page in a real browser, where one is installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::project::{PATIENCE, Project};

/// The browser: `COMPT_CHROMIUM`, or one of the usual names on the path.
fn chromium() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("COMPT_CHROMIUM") {
        return Some(path.into());
    }
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file())
}

/// A browser without window, network and memory of earlier runs.
struct Browser {
    program: PathBuf,
    profile: tempfile::TempDir,
}

impl Browser {
    /// `None`, with a word on why, where there is no browser.
    fn find() -> Option<Self> {
        let Some(program) = chromium() else {
            println!("skipped: no Chromium; set COMPT_CHROMIUM or install `chromium`");
            return None;
        };
        Some(Self { program, profile: tempfile::tempdir().unwrap() })
    }

    /// Runs it to its end; one that hangs is killed and fails the test.
    fn run(&self, more: &[&str], page: &str) -> Output {
        let mut child = Command::new(&self.program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--log-level=0"])
            .arg(format!("--user-data-dir={}", self.profile.path().display()))
            .args(more)
            .arg(page)
            .stdin(Stdio::null())
            .stdout(fs_err::File::create(self.profile.path().join("stdout")).unwrap().into_file())
            .stderr(fs_err::File::create(self.profile.path().join("stderr")).unwrap().into_file())
            .spawn()
            .unwrap();
        let start = Instant::now();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if start.elapsed() > PATIENCE => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    panic!("the browser did not end");
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let read = |name: &str| fs_err::read(self.profile.path().join(name)).unwrap();
        Output { status, stdout: read("stdout"), stderr: read("stderr") }
    }

    /// The document after its scripts have run.
    fn dom(&self, page: &str) -> String {
        let output = self.run(&["--virtual-time-budget=2000", "--dump-dom"], page);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{log}");
        let complaints: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(complaints.is_empty(), "the page complains: {complaints:#?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn address(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Rows of wrong predictions that are shown, and all of them.
fn rows(dom: &str) -> (usize, usize) {
    let wrong = dom.split("<section id=\"wrong\"").nth(1).unwrap().split("</section>").next().unwrap();
    let bodies = wrong.split("<tbody>").skip(1).map(|rest| rest.split("</tbody>").next().unwrap());
    let rows: Vec<&str> = bodies.flat_map(|body| body.split("<tr").skip(1)).collect();
    (rows.iter().filter(|row| !row.starts_with(" hidden")).count(), rows.len())
}

#[test]
fn the_page_of_a_run() {
    let project = Project::new();
    project.run(&[]);
    let path = project.path("outputs/toy/report.html");
    let html = project.read("outputs/toy/report.html");
    for text in ["Toy tasks", "id=\"tables\"", "id=\"curves\"", "id=\"router\"", "id=\"wrong\"", "id=\"stages\"", "23"]
    {
        assert!(html.contains(text), "{text}");
    }
    // Everything is in the file itself, before any script.
    assert!(html.contains("<table class=\"sortable wrong\"") && html.contains("compt run pipelines/toy.yaml"));

    let Some(browser) = Browser::find() else { return };
    let dom = browser.dom(&address(&path));
    let (shown, all) = rows(&dom);
    assert!(shown == all && all > 0, "{shown} of {all}");
    assert!(dom.contains("class=\"sort\"") && dom.contains(&format!("{all} of {all} shown")));

    let (narrowed, _) = rows(&browser.dom(&format!("{}#wrong?task=ripe&seed=1", address(&path))));
    assert!(0 < narrowed && narrowed < all, "{narrowed} of {all}");

    let pdf = project.path("report.pdf");
    let print = format!("--print-to-pdf={}", pdf.display());
    assert!(browser.run(&[&print, "--no-pdf-header-footer"], &address(&path)).status.success());
    assert!(fs_err::read(&pdf).unwrap().starts_with(b"%PDF"));
}

#[test]
fn a_page_of_what_is_in_the_cache() {
    let project = Project::new();
    let few = ["--set", "task=[ripe]", "--set", "seed=[1]"];
    let missing = project.compt(&[&["report", "pipelines/toy.yaml"][..], &few].concat());
    assert_eq!(missing.status.code(), Some(3));
    assert!(
        crate::project::both(&missing).contains("has no results in the cache"),
        "{}",
        crate::project::both(&missing)
    );
    project.run(&few);
    fs_err::remove_file(project.path("outputs/toy/report.html")).unwrap();
    let made = project.compt(&[&["report", "pipelines/toy.yaml"][..], &few].concat());
    assert!(made.status.success(), "{}", crate::project::both(&made));
    let html = project.read("outputs/toy/report.html");
    assert!(html.contains("no run: this page was made of what is in the cache"));
    assert!(
        html.contains("compt run pipelines/toy.yaml --set task=[ripe] --set seed=[1]")
            || html.contains("--set 'task=[ripe]'")
    );
}

#[test]
fn another_parser_finds_the_page_well_formed() {
    let project = Project::new();
    project.edit(
        "pipelines/toy.yaml",
        "  table:\n",
        "  page:\n    run: { report: { from: [table, fit, score], sections: [wrong, tables, curves], wrong: 3 } }\n  table:\n",
    );
    let executed = project.run(&["--set", "task=[ripe]", "--set", "seed=[1]"]);
    assert!(executed.contains(&"page".to_owned()), "{executed:?}");
    let html = project.read("outputs/toy/report.html");
    let place = |id: &str| html.find(&format!("<section id=\"{id}\"")).unwrap();
    assert!(place("wrong") < place("tables") && place("tables") < place("curves") && !html.contains("id=\"router\""));
    let script = project.path("check.py");
    project.write("check.py", CHECK);
    let output = Command::new("python3").arg(&script).arg(project.path("outputs/toy/report.html")).output();
    match output {
        Ok(output) => assert!(output.status.success(), "{}", crate::project::both(&output)),
        Err(error) => println!("skipped: no Python 3: {error}"),
    }
}

/// Python's own parser: every element is closed in its turn, no id occurs twice, every link inside the page has a target.
const CHECK: &str = r##"
import sys
from html.parser import HTMLParser
VOID = {"meta", "link", "img", "input", "br"}
class Checker(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links = [], [], []
    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        for name in ("aria-labelledby", "href"):
            value = attributes.get(name, "")
            if name == "aria-labelledby" and value: self.links.append(value)
            if value.startswith("#"): self.links.append(value[1:])
        if tag == "img": assert attributes["alt"], "an image without words"
        if tag == "th": assert attributes.get("scope"), "a heading without scope"
        if tag not in VOID: self.open.append(tag)
    def handle_endtag(self, tag):
        if tag in VOID: return
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]} at {self.getpos()}"
        self.open.pop()
checker = Checker()
checker.feed(open(sys.argv[1], encoding="utf-8").read())
checker.close()
assert checker.open == [], checker.open
assert len(set(checker.ids)) == len(checker.ids), "an id occurs twice"
assert set(checker.links) <= set(checker.ids), set(checker.links) - set(checker.ids)
"##;
