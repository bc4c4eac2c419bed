//! The notation, its faults, and the laws of the algebra on a plan whose sets can be written down.

use proptest::prelude::*;

use super::{Expression, InstanceSet, Narrowed, Request, RequestError, select};
use crate::base::Digest;
use crate::plan::instance::tests::{pins, small};
use crate::plan::key::tests::numeric;
use crate::plan::{Plan, StagePlan, State};

/// `small()`: 0 data[imdb], 1 data[rte], 2 fit[spp], 3 fit[scp] (both read both data), 4 table (reads both fits).
fn ids(text: &str) -> Vec<usize> {
    select(&small(), &[text.to_owned()]).unwrap_or_else(|error| panic!("{error}")).ids().collect()
}

fn fault(text: &str) -> String {
    let error = select(&small(), &[text.to_owned()]).unwrap_err();
    format!("{error}\n{}", error.help.clone().unwrap_or_default())
}

#[test]
fn the_notation() {
    for (text, wanted) in [
        ("fit", &[2, 3][..]),
        ("*", &[0, 1, 2, 3, 4]),
        ("*t*", &[0, 1, 2, 3, 4]),
        ("fit[method=spp]", &[2]),
        ("fit[ method = spp | \"scp\" ]", &[2, 3]),
        ("*[task=rte]", &[1]),
        ("+fit[method=spp]", &[0, 1, 2]),
        ("1+table", &[2, 3, 4]),
        ("data[task=rte]+1", &[1, 2, 3]),
        ("+fit[method=scp]+", &[0, 1, 3, 4]),
        ("fit, table", &[2, 3, 4]),
        ("+table & !fit", &[0, 1, 4]),
        ("!!fit & !fit[method=spp]", &[3]),
        ("fit & table", &[]),
        ("0+fit", &[2, 3]),
    ] {
        assert_eq!(ids(text), wanted, "{text}");
    }
}

#[test]
fn a_fault_has_its_place_and_what_is_accepted() {
    assert_eq!(
        fault("+fti & table"),
        "there is no stage `fti`\n\n  +fti & table\n   ^^^\ndid you mean `fit`? the stages are `data`, `fit`, `table`"
    );
    assert_eq!(
        fault("fit[method=spq]"),
        "`spq` is no value of the axis `method`\n\n  fit[method=spq]\n             ^^^\n\
         did you mean `spp`? `method` has the values `spp`, `scp`"
    );
    assert!(fault("fit[task=rte]").starts_with("the stage `fit` has no axis `task`\n\n  fit[task=rte]\n      ^^^^\n"));
    assert!(fault("fit[method=spp").starts_with("this `[` has no end\n\n  fit[method=spp\n     ^\n"));
    assert!(fault("").starts_with("a stage is missing at the end"));
    // More columns than Rust pads a text to.
    assert!(fault(&format!("{}[", "x".repeat(70_000))).starts_with("this `[` has no end\n"));
    assert!(fault("fit table").starts_with("`t` can't follow here\n\n  fit table\n      ^\n"));
}

/// The text that a fault points at, counted by hand, stands under the carets.
#[test]
fn a_fault_points_at_what_is_wrong() {
    for (text, wanted, at) in [
        ("", "a stage is missing at the end", 0..0),
        (" fit & ", "a stage is missing at the end", 7..7),
        ("fit,&table", "`&` stands where a stage is expected", 4..5),
        ("fit & é+", "there is no stage `é`", 6..8),
        ("fit ] ", "`]` can't follow here", 4..5),
        ("fit+2 3", "`3` can't follow here", 6..7),
        ("+fit[", "this `[` has no end", 4..5),
        ("fit[method", "this `[` has no end", 3..4),
        ("fit[method=", "this `[` has no end", 3..4),
        ("fit[=spp]", "`=` stands where an axis and its values, as `seed=1`, should", 4..5),
        ("fit[method:spp]", "`:` stands where an axis and its values, as `seed=1`, should", 10..11),
        ("fit[method=spp|  ]", "`]` stands where a value should", 17..18),
        ("fit[method=\"spp\" scp]", "`s` stands where `,`, `|` or `]` should", 17..18),
        ("fit[method=spp, method =scp]", "the axis `method` is there already", 16..22),
        ("fit[method= \"spp]", "the value that begins here has no end", 12..17),
        ("fit[method=spp| spq ]", "`spq` is no value of the axis `method`", 16..19),
        ("fit[methods=spp]", "the stage `fit` has no axis `methods`", 4..11),
        ("+ table[task=rte] +", "the stage `table` has no axis `task`", 8..12),
        ("*[seed=1]", "none of the 3 stages meant has an axis `seed`", 2..6),
        ("fit, z*", "no stage has a name like `z*`", 5..7),
        ("+ *[task=rte,method=spp] + & fit", "no stage has such a cell", 2..24),
    ] {
        let error = select(&small(), &[text.to_owned()]).unwrap_err();
        assert_eq!((error.message.as_str(), error.at), (wanted, at), "{text}");
    }
}

#[test]
fn what_is_there_is_said() {
    let help = |text: &str| select(&small(), &[text.to_owned()]).unwrap_err().help.unwrap();
    assert_eq!(help("sum"), "the stages are `data`, `fit`, `table`");
    assert_eq!(help("table[task=rte]"), "leave the brackets out");
    assert_eq!(help("fit[task=rte]"), "it has the axes `method`");
    assert_eq!(help("*[tusk=rte]"), "did you mean `task`? they have the axes `task`, `method`");
    assert_eq!(help("*[task=rte,method=spp]"), "each value is there, but not together with the others");
    assert_eq!(help("fit[method=spp,method=scp]"), "several values of one axis are written `method=1|2`");
    let mut plan = small();
    plan.stages[1].name = "tables.fit".to_owned();
    let included = select(&plan, &["fit".to_owned()]).unwrap_err().help.unwrap();
    assert_eq!(included, "included pipelines have `tables.fit`");
    // Twenty names are listed, what is more is counted.
    let stage = plan.stages[2].clone();
    plan.stages = (0..22).map(|place| StagePlan { name: format!("stage_{place:02}"), ..stage.clone() }).collect();
    let many = select(&plan, &["z".to_owned()]).unwrap_err().help.unwrap();
    assert!(many.starts_with("the stages are `stage_00`, ") && many.ends_with(", `stage_19` and 2 more"), "{many}");
    plan.stages.truncate(20);
    let few = select(&plan, &["z".to_owned()]).unwrap_err().help.unwrap();
    assert!(few.ends_with(", `stage_19`"), "{few}");
}

#[test]
fn carets_stand_under_wide_and_unseen_characters() {
    // Each character before the fault is one column, whatever its bytes; a line break would end the line.
    assert_eq!(fault("data[task=rte]\té").lines().next(), Some("`é` can't follow here"));
    let error = select(&small(), &["fit[method=\"ö\n\", task=1]".to_owned()]).unwrap_err();
    assert_eq!(
        error.to_string().lines().skip(2).collect::<Vec<_>>(),
        ["  fit[method=\"ö \", task=1]", "             ^^^^"]
    );
}

#[test]
fn the_name_of_an_instance_means_it_whatever_its_characters() {
    let mut plan = small();
    plan.instances[2].label = "fit[method=a,b|c]".to_owned();
    let set = select(&plan, &["fit[method=a,b|c]".to_owned(), "table".to_owned()]).unwrap();
    assert_eq!((set.ids().collect::<Vec<_>>(), set.len(), set.is_empty()), (vec![2, 4], 2, false));
    assert!(select(&plan, &[]).unwrap().is_empty());
}

#[test]
fn flags_mean_what_all_of_them_mean() {
    let request = |only: &[&str], until: &[&str], from: &[&str], force: &[&str]| {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Request { only: texts(only), until: texts(until), from: texts(from), force: texts(force) }
            .of(&small(), &numeric())
    };
    let part = request(&[], &["fit[method=scp]"], &["data[task=rte]"], &["*"]).unwrap();
    let narrowed = part.narrowed.as_ref().unwrap();
    let names: Vec<&str> = narrowed.plan.instances.iter().map(|instance| instance.name()).collect();
    assert_eq!(names, ["data[task=imdb]", "data[task=rte]", "fit[method=scp]"]);
    assert_eq!(part.targets.ids().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(part.forced, part.targets);
    assert_eq!(narrowed.ids, [0, 1, 3]);
    assert_eq!(narrowed.fill(vec![0; 5], &[7, 8, 9]), [7, 8, 0, 9, 0]);
    assert_eq!(narrowed.plan.instances[2].inputs, [0, 1]);
    assert_eq!(narrowed.plan.stages.iter().map(|stage| stage.instances.clone()).collect::<Vec<_>>(), [0..2, 2..3]);
    assert!(matches!(request(&["fit"], &["data"], &[], &[]), Err(RequestError::Nothing { one: false, .. })));
    assert!(matches!(request(&["fit"], &[], &[], &["table"]), Err(RequestError::NotForced { .. })));
    // Without flags it is the plan as it is, and not a part of the same size.
    let whole = request(&[], &[], &[], &["fit"]).unwrap();
    assert!(whole.narrowed.is_none() && whole.targets.len() == 5 && whole.forced.len() == 2);
    let said = |only: &[&str], from: &[&str], force: &[&str]| request(only, &[], from, force).unwrap_err().to_string();
    assert_eq!(said(&["fit & data"], &[], &[]), "`--only 'fit & data'` selects nothing");
    assert_eq!(
        said(&["data[task=rte]", "data[task=imdb]"], &["fit"], &[]),
        "`--only 'data[task=rte]'` and `--only 'data[task=imdb]'` and `--from 'fit'` select nothing together"
    );
    assert_eq!(
        said(&["fit"], &[], &["table", "data"]),
        "`--force` is for `table` and `data`, of which nothing is selected by `--only 'fit'`"
    );
    let help = |only: &[&str], until: &[&str], force: &[&str]| request(only, until, &[], force).unwrap_err().help();
    assert!(help(&["fit & data"], &[], &[]).contains("`compt plan FILE`"));
    assert!(help(&["fit"], &["data"], &[]).contains("leave one of them out"));
    assert!(help(&["fit"], &[], &["table"]).contains("`--force` without a selection"));
}

/// The plan with every edge turned round, and its instances in the opposite order.
fn turned(plan: &Plan) -> Plan {
    let last = plan.instances.len() - 1;
    let readers = plan.readers();
    let mut other = plan.clone();
    for instance in &mut other.instances {
        *instance = plan.instances[last - instance.id].clone();
        instance.inputs = readers[instance.id].iter().map(|reader| last - reader).collect();
        instance.id = last - instance.id;
    }
    other
}

fn sets() -> impl Strategy<Value = InstanceSet> {
    proptest::collection::vec(0usize..5, 0..5).prop_map(|ids| InstanceSet::of(5, ids))
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in any::<String>(), near in "[fit\\[\\]a=|,&!+*0-9\" \\\\]{0,24}") {
        for text in [text, near] {
            match Expression::parse(&text) {
                Ok(expression) => drop(expression.apply(&small()).map_err(|error| error.to_string())),
                Err(error) => {
                    prop_assert!(text.get(error.at.clone()).is_some(), "{error:?}");
                    prop_assert!(error.to_string().contains('^'));
                }
            }
        }
    }

    #[test]
    fn the_laws_of_sets(a in sets(), b in sets(), c in sets()) {
        prop_assert_eq!(a.or(&b), b.or(&a));
        prop_assert_eq!(a.and(&b.or(&c)), a.and(&b).or(&a.and(&c)));
        prop_assert_eq!(a.or(&b).others(), a.others().and(&b.others()));
        prop_assert_eq!(a.others().others(), a.clone());
        prop_assert!(a.and(&a.others()).is_empty());
        prop_assert_eq!(a.or(&a.others()).len(), 5);
    }

    #[test]
    fn closures_are_idempotent_monotone_and_dual(a in sets(), b in sets(), depth in 0usize..4) {
        let plan = small();
        let up = |set: &InstanceSet| set.with_read(&plan, usize::MAX);
        prop_assert_eq!(up(&up(&a)), up(&a));
        prop_assert_eq!(up(&a.or(&b)), up(&a).or(&up(&b)));
        prop_assert_eq!(up(&a).and(&a), a.clone());
        prop_assert_eq!(a.with_read(&plan, 1).with_read(&plan, depth), a.with_read(&plan, depth + 1));
        let mirrored = |set: &InstanceSet| InstanceSet::of(5, set.ids().map(|id| 4 - id));
        let dual = mirrored(&mirrored(&a).with_read(&turned(&plan), depth));
        prop_assert_eq!(a.with_readers(&plan, depth), dual);
    }

    #[test]
    fn a_part_has_all_that_it_reads_and_the_keys_of_the_whole(a in sets(), b in sets()) {
        let plan = small();
        let part = Narrowed::of(&plan, &a);
        let closed = a.with_read(&plan, usize::MAX);
        prop_assert_eq!(&part.ids, &closed.ids().collect::<Vec<_>>());
        for (place, &id) in part.ids.iter().enumerate() {
            let (inside, outside) = (&part.plan.instances[place], &plan.instances[id]);
            prop_assert_eq!((inside.id, inside.name()), (place, outside.name()));
            let read: Vec<usize> = inside.inputs.iter().map(|&input| part.ids[input]).collect();
            prop_assert_eq!(&read, &outside.inputs);
            let outputs: Vec<Digest> = read.iter().map(|input| Digest::of(&[*input as u8])).collect();
            let key = |plan: &Plan, id| plan.preimage(id, &outputs, &pins(), &numeric()).unwrap().key();
            prop_assert_eq!(key(&part.plan, place), key(&plan, id));
            let stage = part.plan.stages.iter().find(|stage| stage.instances.contains(&place)).unwrap();
            prop_assert_eq!(&stage.name, &outside.stage);
        }
        // A part of a part is the part that one would have taken at once.
        let both = closed.and(&b);
        let twice = Narrowed::of(&part.plan, &part.inside(&both));
        prop_assert_eq!(twice.plan, Narrowed::of(&plan, &both).plan);
        let filled = part.fill((0..5).collect(), &part.ids.iter().map(|id| id + 10).collect::<Vec<_>>());
        let wanted: Vec<usize> = (0..5).map(|id| id + 10 * usize::from(closed.has(id))).collect();
        prop_assert_eq!(filled, wanted);
    }

    #[test]
    fn flags_commute_and_mean_what_their_sets_mean(sets in [sets(), sets(), sets(), sets()]) {
        let plan = small();
        let named = |set: &InstanceSet| -> Vec<String> {
            set.ids().map(|id| plan.instances[id].name().to_owned()).collect()
        };
        let [only, until, from, force] = &sets;
        let request =
            Request { only: named(only), until: named(until), from: named(from), force: named(force) };
        let turned = |texts: &[String]| texts.iter().rev().cloned().collect();
        let other = Request {
            only: vec![request.only.join(", ")].into_iter().filter(|text| !text.is_empty()).collect(),
            until: turned(&request.until),
            from: turned(&request.from),
            force: turned(&request.force),
        };
        prop_assert_eq!(request.of(&plan, &numeric()).ok(), other.of(&plan, &numeric()).ok());
        let all = InstanceSet::all(5);
        let mean = |set: &InstanceSet, closed: InstanceSet| if set.is_empty() { all.clone() } else { closed };
        let targets = mean(only, only.clone())
            .and(&mean(until, until.with_read(&plan, usize::MAX)))
            .and(&mean(from, from.with_readers(&plan, usize::MAX)));
        match request.of(&plan, &numeric()) {
            Ok(part) => {
                let run = part.narrowed.as_ref().map_or_else(|| all.clone(), |part| {
                    InstanceSet::of(5, part.ids.iter().copied())
                });
                prop_assert_eq!(&run, &targets.with_read(&plan, usize::MAX));
                prop_assert_eq!(part.targets.len(), targets.len());
                prop_assert_eq!(part.forced.len(), force.and(&targets).len(), "no two do the same work here");
                let states = vec![State::Run { key: None, certain: true, reasons: Vec::new() }; run.len()];
                let missing = part.missing(&states).len();
                prop_assert_eq!(missing, if only.is_empty() { 0 } else { run.len() - targets.len() });
            }
            Err(RequestError::Nothing { .. }) => prop_assert!(targets.is_empty()),
            Err(RequestError::NotForced { .. }) => prop_assert!(force.and(&targets).is_empty()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
    }
}
