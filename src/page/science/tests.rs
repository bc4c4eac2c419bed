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
        files: folder.into(),
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
fn a_reference_is_never_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "method,task,metric,mean,sd,n,examples,reference\n\
               full,imdb,accuracy,95.0,,1,100,true\nspp,imdb,accuracy,82.0,,1,100,\nscp,imdb,accuracy,80.0,,1,100,\n";
    let (html, _) = only(&[input(folder.path(), "aggregate", &[], &[("cells.csv", csv)])]);
    assert!(html.contains("<strong>82.0</strong>") && !html.contains("<strong>95.0"), "{html}");
}

#[test]
fn a_claim_for_several_values_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "name,section,says,expect,at,effect,low,high,margin,outcome,seeds,seeds_needed\n\
               gain,5.2,Prompts learn,mean() > chance,k=8,1,1,1,0,pass,3,\n\
               gain,5.2,Prompts learn,mean() > chance,k=16,1,1,1,0,pass,3,\n";
    let (html, _) = only(&[input(folder.path(), "claims", &[], &[("claims.csv", csv)])]);
    assert_eq!((html.matches("Prompts learn").count(), html.matches("badge good").count()), (1, 2));
    assert!(html.contains(r#"rowspan="2""#) && html.contains("k=16"), "{html}");
}

#[test]
fn included_pipelines_have_chapters_and_what_they_share_stands_once() {
    let folder = tempfile::tempdir().unwrap();
    let claim = "name,section,says,expect,at,effect,low,high,margin,outcome,seeds,seeds_needed\n\
                 gain,,,mean() > chance,,1,1,1,0,pass,3,\n";
    let files = [("curve.csv", "step,epoch,loss\n1,1,4.0\n"), ("summary.json", "{}")];
    let fit = input(folder.path(), "train", &[], &files);
    let claims = input(folder.path(), "claims", &[], &[("claims.csv", claim)]);
    let of = |scope: &str, input: &Input| Input { stage: format!("{scope}.{}", input.stage), ..input.clone() };
    let inputs = [of("one", &fit), of("one", &claims), of("two", &fit), of("two", &claims)];
    let titles = [("one".to_owned(), "Table 1".to_owned()), ("two".to_owned(), "Table 2".to_owned())].into();
    let science = Science::of(&inputs, &Choice { titles, ..Choice::default() }).unwrap();
    let chapters = |at: usize| science.sections[at].chapters.iter().map(|chapter| &*chapter.title).collect::<Vec<_>>();
    assert_eq!(chapters(0), ["Table 1", "Table 2"]);
    assert_eq!(chapters(1), ["Table 1"], "the training is one");
    assert!(science.sections[0].html.contains(r#"id="claims-two""#));
    // Claims of one name in two pipelines are two.
    let findings: Vec<_> = science.findings.iter().map(|finding| (&*finding.about, &*finding.text)).collect();
    let each = "1 of 1 claim pass";
    assert_eq!(findings, [("", "All pipelines together: 2 of 2 claims pass"), ("Table 1", each), ("Table 2", each)]);
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
fn wrong_predictions_of_parts_of_prompts() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "task,prompt,part,weights,id,source,gold,predicted,valid\n\
                imdb,learned,private,kept,a,fine,good,bad,true\nimdb,learned,private,kept,b,odd,good,bad,true\n\
                imdb,learned,total,kept,a,fine,good,banana,false\nimdb,learned,total,kept,b,odd,good,good,true\n";
    let runs = [input(folder.path(), "ablate", &[("seed", "1")], &[("predictions.csv", rows)])];
    // The two parts share the room of one evaluation.
    let science = Science::of(&runs, &Choice { wrong: 2, ..Choice::default() }).unwrap();
    let html = &science.sections.iter().find(|section| section.id == "wrong").unwrap().html;
    assert!(html.contains("3 predictions") && html.contains("2 of them are here"), "{html}");
    let texts = texts(html);
    for cell in ["part", "weights", "private", "total", "banana"] {
        assert!(texts.iter().any(|text| text == cell), "{cell}: {texts:?}");
    }
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
    // Other measures of a pair do not tell matrices apart.
    let csv = "seed,a,b,cosine,cosine_logit\n1,imdb,imdb,1,1\n1,imdb,paws,0.5,0.25\n1,paws,paws,1,1\n";
    let (html, _) = only(&[input(folder.path(), "similarity", &[("k", "8")], &[("router_similarity.csv", csv)])]);
    assert_eq!(html.matches("<table").count(), 1, "{html}");
}

#[test]
fn sections_of_several_reports_have_ids_of_their_own() {
    let one = || Science { findings: Vec::new(), sections: vec![Section::new("tables", "Tables", maud::html! {})] };
    let joined = Science::join([one(), one(), one()]);
    assert_eq!(joined.sections.iter().map(|s| &*s.id).collect::<Vec<_>>(), ["tables", "tables-2", "tables-3"]);
}
