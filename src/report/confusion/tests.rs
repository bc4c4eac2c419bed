use std::path::Path;

use super::*;
use crate::report::frame::Source;

/// The columns of `predictions.csv` that `ablate` writes.
const HEADER: &str = "task,prompt,part,weights,id,source,gold,predicted,valid\n";

fn evaluation(folder: &Path, coordinates: &[(&str, &str)], labels: &[(&str, &[&str])], csv: &str) -> Labelled {
    let name = format!("parts[{}]", coordinates.iter().map(|(_, value)| *value).collect::<Vec<_>>().join(","));
    let folder = folder.join(&name);
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("predictions.csv"), csv).unwrap();
    let coordinates = coordinates.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let labels = labels
        .iter()
        .map(|(task, labels)| ((*task).to_owned(), labels.iter().map(|label| (*label).to_owned()).collect()))
        .collect();
    Labelled { source: Source { name, coordinates, files: folder.into() }, labels }
}

/// Printed recalls by prompt and gold label.
type Recalls = BTreeMap<(String, String), String>;

/// A published table: counts by prompt, predicted and gold, and the printed recalls.
fn published(file: &str) -> (Vec<[String; 4]>, Recalls) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/published").join(file);
    let sheet = Sheet::read(&path).unwrap();
    let column = |name: &str| sheet.texts(name).unwrap();
    let (kinds, prompts, preds) = (column("kind"), column("prompt"), column("pred"));
    let (golds, values) = (column("gold"), column("value"));
    let (mut counts, mut recalls) = (Vec::new(), BTreeMap::new());
    for row in 0..sheet.height() {
        match kinds[row].as_str() {
            "count" => counts.push([&prompts[row], &preds[row], &golds[row], &values[row]].map(Clone::clone)),
            "precision_as_printed" => {
                recalls.insert((prompts[row].clone(), golds[row].clone()), values[row].clone());
            }
            _ => {}
        }
    }
    (counts, recalls)
}

#[test]
fn tables_5_to_7_of_the_paper() {
    // The printed counts as predictions must give the printed recalls (the row called "precision"), and accuracies as
    // METHODS 6 corrects them: Table 7 prints 0.8 for 0.08 and 0.38 for 0.44, Table 6 prints 0.48 for 0.495.
    let accuracies = [
        (
            "table5_mnli_confusion.csv",
            "mnli",
            ["contradiction", "entailment", "neutral"].as_slice(),
            [0.303, 0.343, 0.616],
        ),
        ("table6_rte_confusion.csv", "rte", &["entailment", "not-entailment"], [0.545, 0.495, 0.667]),
        ("table7_qqp_confusion.csv", "qqp", &["duplicate", "not-duplicate"], [0.081, 0.444, 0.869]),
    ];
    for (file, task, labels, expected) in accuracies {
        let (counts, printed) = published(file);
        let mut csv = HEADER.to_owned();
        for [prompt, predicted, gold, count] in &counts {
            for id in 0..count.parse().unwrap() {
                csv += &format!("{task},learned,{prompt},renormalised,{id},text,{gold},{predicted},true\n");
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let read = Matrices::read(&[evaluation(folder.path(), &[], &[(task, labels)], &csv)], &[], "learned").unwrap();
        for (prompt, accuracy) in ["source", "private", "combined"].into_iter().zip(expected) {
            let matrix = read.matrices.iter().find(|matrix| matrix.part == prompt).unwrap();
            let confusion = &matrix.confusion;
            let found = confusion.accuracy();
            assert_eq!(found.whole, 99, "{file} {prompt}");
            assert!((found.percent().unwrap() / 100.0 - accuracy).abs() < 0.0005, "{file} {prompt}");
            for (place, label) in labels.iter().enumerate() {
                let printed = &printed[&(prompt.to_owned(), (*label).to_owned())];
                let recall = confusion.recall(place).percent().unwrap();
                // The paper prints `nan` for labels that were never answered, and whole percents (some cut, not rounded).
                let printed =
                    if printed == "nan" { 0.0 } else { printed.trim_end_matches('%').parse::<f64>().unwrap() };
                assert!((recall - printed).abs() < 1.0, "{file} {prompt} {label}: {recall}");
                assert!(printed > 0.0 || recall == 0.0, "{file} {prompt} {label}: {recall}");
            }
            for [_, predicted, gold, count] in counts.iter().filter(|cell| cell[0] == prompt && cell[3] != "0") {
                let rows = confusion.rows();
                let row = rows.iter().find(|row| row.predicted == predicted).unwrap();
                let place = labels.iter().position(|label| label == gold).unwrap();
                assert_eq!(row.counts[place].to_string(), *count, "{file} {prompt} {predicted} {gold}");
                assert_eq!(row.is_label, labels.contains(&predicted.as_str()));
            }
        }
    }
}

const ROWS: [&str; 4] = ["yes,yes", "yes,no", "no,no", "no,maybe | so"];

fn two_seeds(folder: &Path) -> Vec<Labelled> {
    let csv = |rows: &[&str]| {
        let lines: Vec<String> = rows
            .iter()
            .enumerate()
            .map(|(id, row)| format!("acid,learned,total,kept,{id},\"a, b\",{row},true\n"))
            .collect();
        HEADER.to_owned()
            + &lines.concat()
            + "acid,untrained,total,kept,9,t,no,no,true\nsize,learned,total,kept,1,t,1,2,true\n"
    };
    let of = |seed: &str, rows: &[&str]| {
        evaluation(folder, &[("method", "spp"), ("seed", seed)], &[("acid", &["yes", "no"])], &csv(rows))
    };
    vec![of("1", &ROWS), of("2", &ROWS[..3])]
}

#[test]
fn counts_are_added_over_seeds() {
    let folder = tempfile::tempdir().unwrap();
    let read = Matrices::read(&two_seeds(folder.path()), &["seed".to_owned()], "learned").unwrap();
    let written = |frame: DataFrame| {
        let path = folder.path().join("file.csv");
        sheet::write(&path, frame).unwrap();
        fs_err::read_to_string(path).unwrap()
    };
    // By hand: yes 2 right, 2 wrong; no 2 right, 1 no label; `size` is no classification.
    assert_eq!(
        written(read.counts().unwrap()),
        "method,task,part,weights,predicted,gold,count,is_label\n\
         spp,acid,total,kept,yes,yes,2,true\n\
         spp,acid,total,kept,yes,no,0,true\n\
         spp,acid,total,kept,no,yes,2,true\n\
         spp,acid,total,kept,no,no,2,true\n\
         spp,acid,total,kept,maybe | so,yes,0,false\n\
         spp,acid,total,kept,maybe | so,no,1,false\n"
    );
    let measures = written(read.measures().unwrap());
    let lines: Vec<&str> = measures.lines().collect();
    assert_eq!(lines[0], "method,task,part,weights,measure,gold,value,count,examples,runs");
    assert_eq!(lines[1], "spp,acid,total,kept,recall,yes,50.0,2,4,2");
    assert!(lines[3].starts_with("spp,acid,total,kept,accuracy,,57.142857142857146,4,7,2"), "{}", lines[3]);
    assert!(lines[4].starts_with("spp,acid,total,kept,invalid_rate,,14.28") && lines.len() == 5, "{}", lines[4]);
    assert_eq!(
        read.markdown(),
        "## acid, total, kept, method=spp\n\n\
         | predicted \\ gold | `yes` | `no` | all |\n\
         | --- | ---: | ---: | ---: |\n\
         | `yes` | 2 | 0 | 2 |\n\
         | `no` | 2 | 2 | 4 |\n\
         | `maybe \\| so` (no label) | 0 | 1 | 1 |\n\
         | recall | 50.0 % | 66.7 % |  |\n\n\
         Accuracy 57.1 %: 4 of 7 right. No label: 14.3 % (1). Counts of 2 runs.\n"
    );
    let apart = Matrices::read(&two_seeds(folder.path()), &[], "learned").unwrap();
    assert_eq!((apart.axes.as_slice(), apart.matrices.len()), (["method".to_owned(), "seed".to_owned()].as_slice(), 2));
    let untrained = Matrices::read(&two_seeds(folder.path()), &["seed".to_owned()], "untrained").unwrap();
    assert_eq!(untrained.matrices[0].confusion.accuracy(), Share { part: 2, whole: 2 });
}

#[test]
fn what_can_not_be_counted_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |evaluations: &[Labelled], sum_over: &str| {
        let error = Matrices::read(evaluations, &[sum_over.to_owned()], "learned").unwrap_err();
        assert!(error.hint().is_some() || matches!(error, ReportError::File { .. }));
        error.to_string()
    };
    let seeds = two_seeds(folder.path());
    assert_eq!(
        fails(&seeds, "sede"),
        "`sum_over` names the axis `sede`, but counts can be summed over `method`, `seed`"
    );
    assert!(fails(&seeds, "task").contains("`task`"));
    let mut same = seeds.clone();
    same[1].source.coordinates = seeds[0].source.coordinates.clone();
    assert_eq!(
        fails(&same, "seed"),
        "the task `acid` is counted twice: `parts[spp,1]` and `parts[spp,2]` have the same coordinates"
    );
    let mut other = seeds.clone();
    other[1].labels.insert("acid".to_owned(), vec!["no".to_owned(), "yes".to_owned()]);
    assert!(fails(&other, "seed").contains("`parts[spp,2]` has the labels `no`, `yes`"));
    let mut foreign = seeds.clone();
    foreign[0].labels.insert("acid".to_owned(), vec!["yes".to_owned()]);
    assert!(fails(&foreign, "seed").contains("line 4: the gold text `no` is none of the labels `yes`"));
    let mut none = seeds.clone();
    none.iter_mut().for_each(|one| one.labels.clear());
    assert!(fails(&none, "seed").contains("no predictions of `learned` prompts"));
    let mut clash = seeds;
    clash[0].source.coordinates.insert("gold".to_owned(), "1".to_owned());
    assert!(fails(&clash, "seed").starts_with("the axis `gold` has the name of a column"));
}

#[test]
fn the_counts_of_table_7_beside_ours() {
    // By hand from METHODS 6: the source prompts print 0.8, their counts give 8 of 99; the private prompts print 0.38 and
    // give 44 of 99.
    let folder = tempfile::tempdir().unwrap();
    let csv = format!("{HEADER}qqp,learned,all_src,kept,1,x,duplicate,banana,false\n");
    let ours = evaluation(folder.path(), &[], &[("qqp", &["not_duplicate", "duplicate"])], &csv);
    let matrices = Matrices::read(&[ours], &[], "learned").unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/published/table7_qqp_confusion.csv");
    let published = published::PublishedCounts::read(&path).unwrap();
    let file = folder.path().join("published.csv");
    sheet::write(&file, matrices.beside(&published).unwrap()).unwrap();
    let text = fs_err::read_to_string(&file).unwrap();
    for line in [
        "task,part,weights,measure,predicted,gold,ours,published,is_label",
        "qqp,all_src,kept,count,not_duplicate,not_duplicate,0.0,7.0,true",
        "qqp,all_src,kept,count,banana,duplicate,1.0,0.0,false",
        "qqp,all_src,kept,count,not-entailment,duplicate,0.0,30.0,false",
        "qqp,all_src,kept,examples,,,1.0,99.0,",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
    // 8 / 99 = 8.0808 %, and the recall of `duplicate` 1 / 38 = 2.63 %, printed as 3.0 %.
    assert!(text.contains("accuracy,,,0.0,8.08080808") && text.contains("recall,,duplicate,0.0,2.6315789"), "{text}");
    let page = matrices.markdown_beside(&published).unwrap();
    assert!(page.contains("## qqp, all_src, kept, as published"), "{page}");
    assert!(page.contains("are of 99 examples") && page.contains("is 80.0 %, that of the counts 8.1 %"), "{page}");
}
