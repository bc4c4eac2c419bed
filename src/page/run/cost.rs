//! What the results cost, and what the cache saved.

use maud::{Markup, html};

use super::{Facts, Instance, Outcome};
use crate::page::words;

/// Joules in a watt-hour.
const WATT_HOUR: f64 = 3600.0;

pub(super) fn cost(facts: &Facts) -> Markup {
    let (made, cached) = (facts.sum(Outcome::Made), facts.sum(Outcome::Cached));
    let largest = facts.instances().max_by_key(|instance| instance.memory.unwrap_or_default());
    html! {
        dl.facts {
            dt { "This run" }
            dd {
                @match facts.seconds {
                    Some(seconds) => { (words::duration(seconds)) " on the clock" }
                    None => { "no run: this page was made of what is in the cache" }
                }
            }
            dt { "Made in this run" }
            dd { (words::count(made.count, "result")) ", " (words::duration(made.seconds)) " of work" }
            dt { "Saved by the cache" }
            dd {
                @if cached.count == 0 { "nothing: no result was there" }
                @else {
                    strong { (words::duration(cached.seconds)) } " of work: what "
                    (words::count(cached.count, "result")) " took when they were made"
                }
            }
            dt { "All results from nothing" }
            dd { (words::duration(made.seconds + cached.seconds)) " of work, added up over stages that may run at once" }
            @if let Some(Instance { memory: Some(bytes), name, .. }) = largest {
                dt { "Most memory of one process" }
                dd { (words::size(*bytes)) " in " code { (name) } }
            }
            dt { "Energy" }
            dd {
                @match facts.energy {
                    Some(joules) => {
                        (format!("{:.2}", joules / WATT_HOUR)) " Wh during this run, by the processors' own counters (RAPL): "
                        "everything that ran on this machine, without disks, screens and graphics cards"
                    }
                    None => { "not measured: this machine shows no energy counters to this user" }
                }
            }
        }
    }
}
