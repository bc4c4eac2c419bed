//! Sections of small results, written as the operations write them.

use std::path::Path;

use super::*;

/// A result of `operation` with these files.
fn input(folder: &Path, operation: &str, place: &[(&str, &str)], files: &[(&str, &str)]) -> Input {
    let at: Vec<&str> = place.iter().map(|(_, value)| *value).collect();
    let folder = folder.join(format!("{operation}-{}", at.join("-")));
    fs_err::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        fs_err::write(folder.join(name), text).unwrap();
    }
    Input {
        stage: format!("my_{operation}"),
        operation: operation.to_owned(),
        coordinates: place.iter().map(|(axis, value)| ((*axis).to_owned(), (*value).to_owned())).collect(),
        folder,
    }
}

fn only(inputs: &[Input]) -> (String, Vec<Finding>) {
    let science = Science::of(inputs, &Choice::default()).unwrap();
    assert_eq!(science.sections.len(), 1, "{:?}", science.sections.iter().map(|s| &s.id).collect::<Vec<_>>());
    (science.sections[0].html.clone(), science.findings)
}

/// Everything between tags, in order.
fn texts(html: &str) -> Vec<String> {
    let parts = html.split('<').filter_map(|part| part.split_once('>').map(|(_, text)| text.trim().to_owned()));
    parts.filter(|text| !text.is_empty()).collect()
}

#[test]
fn claims_with_their_outcomes() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "name,section,says,expect,at,effect,low,high,margin,outcome,seeds,seeds_needed\n\
               gain,5.2,Prompts learn,mean() > chance,k=8,12.345,8.0,16.5,0,pass,3,\n\
               close,,,mean(method=spp) < mean(method=scp),,-0.5,-4,3,0,undecided,3,12\n";
    let (html, findings) = only(&[input(folder.path(), "claims", &[], &[("claims.csv", csv)])]);
    let texts = texts(&html);
    for cell in ["Prompts learn", "k=8", "mean() &gt; chance", "+12.3", "+8.0", "\u{2212}0.5", "12 seeds", "undecided"]
    {
        assert!(texts.iter().any(|text| text.contains(cell)), "{cell}: {texts:?}");
    }
    assert_eq!(
        findings,
        [Finding { tone: Tone::Plain, text: "1 of 2 claims pass, 1 is undecided".to_owned(), about: String::new() }]
    );
}

#[test]
fn every_cell_of_a_table_is_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "method,task,metric,mean,sd,n,examples\n\
               spp,imdb,accuracy,82.04,2.83,3,100\nspp,average,accuracy,65.5,1.26,3,\n\
               scp,imdb,accuracy,79.96,,1,100\nscp,average,accuracy,,,,\n";
    let (html, _) = only(&[input(folder.path(), "aggregate", &[], &[("cells.csv", csv)])]);
    for cell in ["<strong>82.0</strong>", "±\u{a0}2.8", "65.5", "±\u{a0}1.3", ">80.0", "1 to 3 runs"] {
        assert!(html.contains(cell), "{cell}: {html}");
    }
}

#[test]
fn differences_are_marked_by_whether_they_are_noise() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "method,task,metric,published,ours mean,ours sd,n,difference,within_noise\n\
               spp,imdb,accuracy,75.0,82.0,2.8,2,7.0,yes\nspp,yelp_polarity,accuracy,83.0,50.0,0.0,2,-33.0,no\n\
               spp,average,accuracy,70.5,66.0,1.4,2,,\nscp,imdb,,73.0,,,,,\n";
    let (html, findings) = only(&[input(folder.path(), "compare", &[], &[("comparison.csv", csv)])]);
    assert!(html.contains("difference within"), "{html}");
    assert!(html.contains("difference below"));
    assert!(html.contains("\u{2212}33.0") && html.contains("+7.0"));
    assert!(html.contains("without a partner here (1)"));
    assert_eq!(findings[0].text, "my_compare: 1 of 2 published numbers are met within noise");
}

#[test]
fn published_rows_below_ours() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "table,from,method,task,metric,mean,sd,n\n\
               printed,paper,pt,imdb,accuracy,75.0,,\nprinted,ours,spp,imdb,accuracy,82.0,2.8,3\n";
    let (html, findings) = only(&[input(folder.path(), "compare", &[], &[("comparison.csv", csv)])]);
    let texts = texts(&html);
    assert!(
        ["75.0", "82.0", "±\u{a0}2.8", "paper", "ours"].iter().all(|cell| texts.contains(&(*cell).to_owned())),
        "{texts:?}"
    );
    assert!(findings.is_empty() && !html.contains("legend"));
}

#[test]
fn curves_routers_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    let curve = "step,epoch,loss,rate_source,gradient_norm\n1,1,4.0,0.1,1\n2,1,2.0,0.1,1\n3,2,1.0,0.1,1\n";
    let summary = r#"{"router": {"imdb": {"sources": {"a": 0.25, "b": 0.75}, "alpha": 0.5, "beta": null}}}"#;
    let files = [("curve.csv", curve), ("summary.json", summary)];
    let runs = [
        input(folder.path(), "train", &[("method", "spp"), ("seed", "1")], &files),
        input(folder.path(), "train", &[("method", "spp"), ("seed", "2")], &files),
        input(
            folder.path(),
            "plot",
            &[],
            &[("p.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"), ("p.csv", "a\n1\n")],
        ),
    ];
    let science = Science::of(&runs, &Choice::default()).unwrap();
    assert_eq!(science.sections.iter().map(|s| &*s.id).collect::<Vec<_>>(), ["figures", "curves", "router"]);
    // Both seeds in one chart; the first epoch's mean is 3, which is the top: its point stands at the left and at 8.
    let curves = &science.sections[1].html;
    assert_eq!(curves.matches("<figure").count(), 1);
    assert_eq!(curves.matches("d=\"M34.0 8.0L234.0 88.0\"").count(), 2, "{curves}");
    let router = &science.sections[2].html;
    assert_eq!(router.matches("<table").count(), 2);
    assert!(
        router.contains(r#"<td class="p2">0.25</td><td class="p6">0.75</td><td class="p4">0.50</td><td></td>"#),
        "{router}"
    );
    assert!(science.sections[0].html.contains("data:image/svg+xml;base64,PHN2Zy"));
}

#[test]
fn wrong_predictions_and_confusion() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "task,prompt,id,source,gold,predicted,valid\n\
                imdb,learned,a,\"good, <b>fine</b>\",good,bad,true\nimdb,learned,b,dull,bad,bad,true\n\
                imdb,learned,c,flat,bad,good,true\nimdb,learned,d,odd,bad,banana,false\nimdb,untrained,a,x,good,bad,true\n";
    let place = [("method", "spp"), ("seed", "1"), ("task", "imdb")];
    let runs = [input(folder.path(), "evaluate", &place, &[("predictions.csv", rows)])];
    let choice = Choice { wrong: 2, ..Choice::default() };
    let science = Science::of(&runs, &choice).unwrap();
    let [confusion, wrong] = &science.sections[..] else { panic!("{:?}", science.sections) };
    // good: 1 bad; bad: 1 bad, 1 good, 1 no label.
    let cells: Vec<String> = texts(&confusion.html).into_iter().filter(|text| text.parse::<u32>().is_ok()).collect();
    assert_eq!(cells, ["1", "1", "1", "1", "0", "0"]);
    assert!(
        wrong.html.contains("3 predictions of learned prompts and their parts are wrong; 2 of them are here"),
        "{}",
        wrong.html
    );
    assert!(wrong.html.contains("good, &lt;b&gt;fine&lt;/b&gt;") && !wrong.html.contains("banana"));
}

#[test]
fn a_confusion_stage_wins_over_counting() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "method,task,part,predicted,gold,count,is_label\nspp,imdb,,good,good,7,true\nspp,imdb,,bad,good,2,true\n\
               spp,imdb,,zebra,good,1,false\n";
    let (html, _) = only(&[input(folder.path(), "confusion", &[], &[("confusion.csv", csv)])]);
    assert!(html.contains("<caption>method spp</caption>"), "{html}");
    let cells: Vec<String> = texts(&html).into_iter().filter(|text| text.parse::<u32>().is_ok()).collect();
    assert_eq!(cells, ["7", "2", "1"]);
    assert!(!html.contains("zebra") && html.contains("(no label)"));
}

#[test]
fn similarities_are_whole_matrices() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "method,a,b,cosine\nspp,imdb,paws,-0.5\nspp,imdb,imdb,1\nspp,paws,paws,1\n";
    let (html, _) = only(&[input(folder.path(), "similarity", &[], &[("router_similarity.csv", csv)])]);
    assert_eq!(html.matches("class=\"m4\"").count(), 2, "{html}");
}

#[test]
fn sections_of_several_reports_have_ids_of_their_own() {
    let one = || Science { findings: Vec::new(), sections: vec![Section::new("tables", "Tables", maud::html! {})] };
    let joined = Science::join([one(), one(), one()]);
    assert_eq!(joined.sections.iter().map(|s| &*s.id).collect::<Vec<_>>(), ["tables", "tables-2", "tables-3"]);
}
