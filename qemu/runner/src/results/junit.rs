// SPDX-License-Identifier: GPL-2.0-only

//! JUnit's XML, which most services display, in the form that Jenkins accepts (`junit-10.xsd`).

use super::{Outcome, Suite, Test};
use anyhow::Result;
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};
use std::{io, time::Duration};

type Xml = Writer<Vec<u8>>;

pub(super) fn write(kernel: &str, suites: &[Suite]) -> Result<String> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let name = format!("nsproxy_rs on {kernel}");
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>().to_string();
    xml.create_element("testsuites")
        .with_attributes([
            ("name", name.as_str()),
            ("tests", &sum(|suite| suite.tests.len())),
            ("failures", &sum(failures)),
            ("errors", &sum(errors)),
            (
                "time",
                &seconds(suites.iter().map(|suite| suite.took).sum()),
            ),
        ])
        .write_inner_content(|xml| suites.iter().try_for_each(|suite| write_suite(xml, suite)))?;
    Ok(String::from_utf8(xml.into_inner())? + "\n")
}

fn write_suite(xml: &mut Xml, suite: &Suite) -> io::Result<()> {
    xml.create_element("testsuite")
        .with_attributes([
            ("name", suite.name.as_str()),
            ("tests", &suite.tests.len().to_string()),
            ("failures", &failures(suite).to_string()),
            ("errors", &errors(suite).to_string()),
            (
                "skipped",
                &count(suite, |outcome| matches!(outcome, Outcome::Skipped(_))).to_string(),
            ),
            ("time", &seconds(suite.took)),
        ])
        .write_inner_content(|xml| {
            xml.create_element("properties")
                .write_inner_content(|xml| {
                    for (name, value) in &suite.properties {
                        let value = allowed(value);
                        xml.create_element("property")
                            .with_attributes([("name", *name), ("value", value.as_str())])
                            .write_empty()?;
                    }
                    Ok(())
                })?;
            let mut tests = suite.tests.iter().zip(&suite.times);
            tests.try_for_each(|(test, took)| write_test(xml, &suite.name, test, *took))
        })?;
    Ok(())
}

fn write_test(xml: &mut Xml, suite: &str, test: &Test, took: Option<Duration>) -> io::Result<()> {
    let name = allowed(&test.name);
    let case = xml
        .create_element("testcase")
        .with_attributes([("name", name.as_str()), ("classname", suite)])
        .with_attributes(took.map(seconds).iter().map(|took| ("time", took.as_str())));
    let first = test.said.first().map_or("failed", String::as_str);
    let (kind, message) = match &test.outcome {
        Outcome::Passed => return case.write_empty().map(drop),
        Outcome::Skipped(why) => ("skipped", why.as_str()),
        Outcome::Failed => ("failure", first),
        Outcome::Error(why) => ("error", why.as_str()),
    };
    case.write_inner_content(|xml| {
        let message = allowed(message);
        let element = xml
            .create_element(kind)
            .with_attribute(("message", message.as_str()));
        match test.said.as_slice() {
            [] => element.write_empty()?,
            said => element.write_text_content(BytesText::new(&allowed(&said.join("\n"))))?,
        };
        Ok(())
    })?;
    Ok(())
}

fn failures(suite: &Suite) -> usize {
    count(suite, |outcome| *outcome == Outcome::Failed)
}

fn errors(suite: &Suite) -> usize {
    count(suite, |outcome| matches!(outcome, Outcome::Error(_)))
}

fn count(suite: &Suite, is_one: impl Fn(&Outcome) -> bool) -> usize {
    suite
        .tests
        .iter()
        .filter(|test| is_one(&test.outcome))
        .count()
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// Replaces the characters that XML 1.0 cannot express, not even escaped.
fn allowed(text: &str) -> String {
    let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    let replaced = text
        .chars()
        .map(|c| if is_allowed(c) { c } else { '\u{fffd}' });
    replaced.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::examples, *};
    use nsproxy_results::Counts;
    use quick_xml::{Reader, events::BytesStart};

    /// An element of Jenkins' schema, with its possible parents and its attributes.
    struct Element {
        name: &'static str,
        parents: &'static [&'static str],
        required: &'static [&'static str],
        optional: &'static [&'static str],
    }

    /// The elements that `write()` uses.
    const SCHEMA: &[Element] = &[
        Element {
            name: "testsuites",
            parents: &[""],
            required: &[],
            optional: &["name", "time", "tests", "failures", "errors"],
        },
        Element {
            name: "testsuite",
            parents: &["testsuites", "testsuite"],
            required: &["name", "tests", "failures", "errors"],
            optional: &[
                "group",
                "time",
                "skipped",
                "timestamp",
                "hostname",
                "id",
                "package",
                "file",
                "log",
                "url",
            ],
        },
        Element {
            name: "properties",
            parents: &["testsuite"],
            required: &[],
            optional: &[],
        },
        Element {
            name: "property",
            parents: &["properties"],
            required: &["name", "value"],
            optional: &[],
        },
        Element {
            name: "testcase",
            parents: &["testsuite"],
            required: &["name"],
            optional: &["time", "classname", "group"],
        },
        Element::of_test("skipped"),
        Element::of_test("error"),
        Element::of_test("failure"),
    ];

    impl Element {
        const fn of_test(name: &'static str) -> Self {
            Self {
                name,
                parents: &["testcase"],
                required: &[],
                optional: &["type", "message"],
            }
        }
    }

    /// Fails if an element violates the schema.
    fn check(element: &BytesStart<'_>, parent: &str) {
        let name = String::from_utf8(element.name().as_ref().to_vec()).unwrap();
        let known = SCHEMA.iter().find(|known| known.name == name);
        let Element {
            parents,
            required,
            optional,
            ..
        } = known.unwrap_or_else(|| panic!("no element is called {name}"));
        assert!(parents.contains(&parent), "{name} in {parent:?}");
        let attributes: Vec<_> = element
            .attributes()
            .map(|attribute| String::from_utf8(attribute.unwrap().key.as_ref().to_vec()).unwrap())
            .collect();
        for wanted in *required {
            assert!(
                attributes.iter().any(|name| name == wanted),
                "{name} without {wanted}"
            );
        }
        for has in &attributes {
            let has = has.as_str();
            assert!(
                required.contains(&has) || optional.contains(&has),
                "{name} with {has}"
            );
        }
        if let Some(time) = element.try_get_attribute("time").unwrap() {
            let time = String::from_utf8(time.value.to_vec()).unwrap();
            assert!(time.parse::<f64>().is_ok_and(|time| time >= 0.0), "{time}");
        }
    }

    /// Reads a file, checks it against the schema, and returns the counts of its test cases. The
    /// counts in its attributes must be the same, and its names unique.
    pub(in super::super) fn counts(xml: &str) -> Counts {
        let mut reader = Reader::from_str(xml);
        let mut parents: Vec<String> = Vec::new();
        let mut cases = Vec::new();
        let mut kinds = Vec::new();
        let mut said = 0;
        loop {
            let event = reader.read_event().unwrap();
            if let Event::Start(element) | Event::Empty(element) = &event {
                check(element, parents.last().map_or("", String::as_str));
                let name = String::from_utf8(element.name().as_ref().to_vec()).unwrap();
                let get = |key: &str| {
                    let value = element.try_get_attribute(key).unwrap();
                    value.map(|value| value.unescape_value().unwrap().into_owned())
                };
                match name.as_str() {
                    "testsuites" => said = get("tests").unwrap().parse().unwrap(),
                    "testcase" => cases.push((get("classname"), get("name"))),
                    "skipped" | "error" | "failure" => kinds.push(name.clone()),
                    _ => {}
                }
                if matches!(event, Event::Start(_)) {
                    parents.push(name);
                }
            } else if matches!(event, Event::End(_)) {
                parents.pop();
            } else if matches!(event, Event::Eof) {
                break;
            }
        }
        assert_eq!(cases.len(), said);
        let skipped = kinds.iter().filter(|kind| *kind == "skipped").count();
        let counts = Counts {
            passed: (cases.len() - kinds.len()) as u32,
            failed: (kinds.len() - skipped) as u32,
            skipped: skipped as u32,
        };
        let all = cases.len();
        cases.sort();
        cases.dedup();
        assert_eq!(cases.len(), all, "a name is used twice");
        counts
    }

    #[test]
    fn jenkins_accepts_it() {
        let xml = write("lab", &examples()).unwrap();
        let expected = Counts {
            passed: 1,
            failed: 2,
            skipped: 1,
        };
        assert_eq!(counts(&xml), expected);
    }

    #[test]
    fn words_times_and_properties_are_there() {
        let xml = write("lab", &examples()).unwrap();
        for part in [
            r#"<testsuites name="nsproxy_rs on lab" tests="4" failures="1" errors="1" time="3.000">"#,
            r#"<property name="commit" value="1234-dirty"/>"#,
            r#"<testcase name="net: a &amp; b" classname="kinds" time="0.020"/>"#,
            "setns(2): 1\ndevice: \u{fffd}[2m",
            r#"<skipped message="no &lt;time&gt;"/>"#,
            r#"<error message="Kernel panic">Kernel panic</error>"#,
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }
}
