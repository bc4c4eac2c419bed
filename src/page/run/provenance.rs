//! Where the results come from, and what to type to have them again or to ask about them.

use maud::{Markup, html};

use super::stages::short;
use super::{Facts, Source, Stage};
use crate::page::{scrolls, words};

pub(super) fn provenance(facts: &Facts) -> Markup {
    let of = &facts.provenance;
    html! {
        h3 { "Have it again" }
        pre.command { code { (of.command) } }
        h3 { "Ask about a number" }
        (questions(facts))
        h3 { "Settings" }
        dl.facts {
            dt { "Pipeline file" }
            dd { code { (of.file) } ", digest " (short(&of.digest)) }
            @if let Some(profile) = &of.profile { dt { "Profile" } dd { code { (profile) } } }
            @for (name, value) in &of.set { dt { "Set" } dd { code { (name) "=" (value) } } }
            @for (name, value) in &of.values { dt { code { (name) } } dd { (value) } }
        }
        details { summary { "The pipeline file" } pre tabindex="0" { code { (of.text) } } }
        h3 { "Data and backbones" }
        (scrolls("Data and backbones", &sources(&of.sources)))
        h3 { "Final results" }
        (scrolls("Final results", &finals(&facts.stages)))
        h3 { "Versions" }
        dl.facts {
            @for (name, value) in &of.versions { dt { (name) } dd { (value) } }
            dt { "operations" }
            dd { (operations(&facts.stages)) }
        }
        h3 { "Machine" }
        dl.facts {
            @for (name, value) in &of.machine { dt { (name) } dd { (value) } }
            @if !of.hosts.is_empty() { dt { "Results made on" } dd { (of.hosts.join(", ")) } }
        }
    }
}

/// One line for each published stage: where its files are, and who explains them.
fn questions(facts: &Facts) -> Markup {
    let file = &facts.provenance.file;
    let options = options(facts);
    let stages: Vec<&Stage> = facts.stages.iter().filter(|stage| stage.publishes).collect();
    html! {
        dl.facts {
            @for stage in &stages {
                dt { code { (stage.name) } }
                dd { code { "compt show " (file) " " (stage.name) (options) } }
            }
            dt { "Any result" }
            dd { code { "compt show " (file) " 'RESULT'" (options) } " shows its record, its files and what they are made of" }
            dt { "Why it runs" }
            dd { code { "compt why " (file) " 'RESULT'" (options) } " says whether it would run again, and why" }
        }
    }
}

/// What the command of the run adds to the file, so that the same results are asked about.
fn options(facts: &Facts) -> String {
    let of = &facts.provenance;
    of.command.split_once(&of.file).map(|(_, options)| options.to_owned()).unwrap_or_default()
}

fn sources(sources: &[Source]) -> Markup {
    html! {
        table {
            caption { "What was read from outside; the digest is that of all its files" }
            thead {
                tr {
                    th scope="col" { "Name" }
                    th scope="col" { "Kind" }
                    th scope="col" { "Revision" }
                    th scope="col" { "Digest" }
                    th.number scope="col" { "Files" }
                    th.number scope="col" { "Size" }
                }
            }
            tbody {
                @for source in sources {
                    tr {
                        th scope="row" { code { (source.name) } }
                        td { (source.kind) }
                        td {
                            @match &source.revision {
                                Some(revision) => (short(revision)),
                                None => span.quiet { "none: not from the hub" },
                            }
                        }
                        td { (short(&source.digest)) }
                        td.number { (source.files.0) }
                        td.number { (words::size(source.files.1)) }
                    }
                }
            }
        }
    }
}

fn finals(stages: &[Stage]) -> Markup {
    html! {
        table {
            caption { "What the pipeline publishes, under which keys" }
            thead { tr { th scope="col" { "Result" } th scope="col" { "Key" } th scope="col" { "Digest of the files" } } }
            tbody {
                @for instance in stages.iter().filter(|stage| stage.publishes).flat_map(|stage| &stage.instances) {
                    tr {
                        th scope="row" { code { (instance.name) } }
                        @match &instance.digests {
                            Some(digests) => { @for digest in digests { td { code.digest { (digest) } } } },
                            None => { td colspan="2" { span.quiet { "no result" } } },
                        }
                    }
                }
            }
        }
    }
}

fn operations(stages: &[Stage]) -> String {
    let mut versions: Vec<String> =
        stages.iter().map(|stage| format!("{} {}", stage.operation.0, stage.operation.1)).collect();
    versions.sort();
    versions.dedup();
    versions.join(", ")
}
