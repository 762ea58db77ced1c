//! Policies: published in versions, checked, simulated.

mod graph;
mod shelf;

use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lists::{ListOf, PlainQuery};
use super::versions::Versioned;
use crate::api::call::{Answer, CONFLICTS_MAX, Call, Uncommitted};
use crate::api::conventions::json::push_segment;
use crate::api::conventions::problem::{Code, Fault, Problem};
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission, Request, Surroundings};
use crate::engine::front::Changed;
use crate::engine::records::PolicyRecord;
use crate::language::facts_text::GivenFacts;
use crate::language::script::Scripts as ReadScripts;
use crate::language::{Compiled, Diagnostic, Policy as Checked, parse, with_comment_above};
use crate::lint::report::{Report, ReportedFinding};
use crate::lint::{FileFindings, SourceFile};
use crate::machine::{Bounds, Scenario, Timeline, bounds, compile, simulate};
use crate::model::shapes::text::{NameRef, ObjectName, PolicySource, Scripts};
use crate::model::{Id, Instant, kinds};
use crate::store::rows::{VersionKind, VersionRow};
use shelf::Shelf;

const TAG: &str = "policies";
/// How policies are kept.
pub(super) const POLICIES: Versioned = Versioned {
    kind: VersionKind::Policy,
    id: |row| Id::<kinds::Policy>::from_u128(row.id).to_string(),
    published: "policy.published",
    deleted: "policy.deleted",
    changed: Changed::Policy,
};
/// How findings of a text that came in a request name their source.
const SOURCE: &str = "source";
/// When a simulated request is accepted, where nothing is said: Monday 2026-01-05 12:00 UTC.
const SIMULATED_AT: Instant = Instant::from_ms(1_767_614_400_000);

pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Access::Permission(Permission::Read);
    let manage = Permission::Manage;
    vec![
        Endpoint::post("/policies", manage, publish)
            .about(TAG, "Publish each policy of a source, all or none")
            .gives::<Published>(201, "The versions, in the order of the source.")
            .gives::<Published>(200, "Nothing changed: the versions that stand.")
            .refuses(&[Code::PolicyInvalid]),
        Endpoint::get("/policies", read, list)
            .about(TAG, "List the newest version of each policy")
            .gives::<ListOf<Policy>>(200, "A page of policies.")
            .refuses(&[Code::CursorInvalid]),
        Endpoint::get("/policies/{name}", read, show)
            .about(TAG, "Show the newest version of a policy, or `name@version`")
            .gives::<Policy>(200, "The version."),
        Endpoint::get("/policies/{name}/versions", read, versions)
            .about(TAG, "List the versions of a policy, newest first")
            .gives::<ListOf<Policy>>(200, "A page of versions.")
            .refuses(&[Code::CursorInvalid]),
        graph::endpoint(),
        Endpoint::delete("/policies/{name}", manage, delete)
            .about(TAG, "Delete a policy; messages on their way keep theirs")
            .gives_no_json(204, "It is gone."),
        Endpoint::post("/policies/check", manage, check)
            .asking()
            .about(TAG, "Check a text, as `spine policy check --format json` does")
            .gives::<Report>(200, "What was found."),
        Endpoint::post("/policies/simulate", manage, run)
            .asking()
            .about(TAG, "Run a policy under a virtual clock")
            .gives::<Timeline>(200, "What would happen, and when.")
            .refuses(&[Code::PolicyInvalid]),
    ]
}

/// A version of a policy.
#[derive(Serialize, JsonSchema)]
struct Policy {
    /// Its id.
    id: Id<kinds::Policy>,
    /// Its name.
    name: String,
    /// Its version, from 1.
    version: u32,
    /// Its text.
    source: String,
    /// What the linter said of it.
    findings: Vec<ReportedFinding>,
    /// How far it can go.
    #[schemars(with = "Bounds")]
    bounds: Value,
    /// When it was published.
    created_at: Instant,
}

/// The versions of a publication.
#[derive(Serialize, JsonSchema)]
struct Published {
    /// In the order of the source.
    data: Vec<Policy>,
}

/// A source to be published.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PublishPolicies {
    /// A bare strategy, or any number of named policies.
    source: PolicySource,
    /// The name of a bare strategy, and of nothing else.
    name: Option<ObjectName>,
}

impl Request for PublishPolicies {
    fn across(value: &Value, _: &Surroundings, faults: &mut Vec<Fault>) {
        let Some(source) = value.get("source").and_then(Value::as_str) else { return };
        let named = value.get("name").is_some_and(|name| !name.is_null());
        let parsed = parse(source);
        match (parsed.bare, named) {
            (true, false) => faults.push(Fault::at("/name", "is required: the source is a bare strategy")),
            (false, true) if !parsed.names.is_empty() => {
                faults.push(Fault::at("/name", "goes with a bare strategy only: these policies have names"));
            }
            _ => {}
        }
    }
}

/// A text to be checked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CheckPolicies {
    /// A bare strategy, or any number of named policies.
    source: CheckedSource,
}

/// Any text: what is wrong with it is what the answer tells.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
struct CheckedSource(String);

impl Request for CheckPolicies {}

/// What to simulate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SimulatePolicy {
    /// The text of one policy. Either this or `policy`.
    source: Option<PolicySource>,
    /// A policy, by its name or `name@version`. Either this or `source`.
    policy: Option<NameRef>,
    /// Outcome scripts by provider or channel, as in a policy test.
    script: Option<Scripts>,
    /// Facts by name, as in a policy test.
    facts: Option<Map<String, Value>>,
    /// When the request is accepted; Monday 2026-01-05 12:00 UTC where nothing is said.
    at: Option<Instant>,
}

impl Request for SimulatePolicy {
    fn across(value: &Value, _: &Surroundings, faults: &mut Vec<Fault>) {
        let has = |name: &str| value.get(name).is_some_and(|v| !v.is_null());
        match (has("source"), has("policy")) {
            (true, true) => faults.push(Fault::at("/policy", "cannot stand beside `source`")),
            (false, false) if value.is_object() => {
                faults.push(Fault::at("", "must have one of `source`, `policy`"));
            }
            _ => {}
        }
        let script = value.get("script").and_then(Value::as_object);
        let script = script.into_iter().flatten().filter_map(|(key, v)| Some((key.as_str(), v.as_str()?)));
        tell(faults, "script", ReadScripts::from_map(script).err().unwrap_or_default());
        if let Some(facts) = value.get("facts").and_then(Value::as_object) {
            tell(faults, "facts", GivenFacts::from_map(facts).err().unwrap_or_default());
        }
    }
}

/// Faults of a map's entries, each at its entry.
fn tell(faults: &mut Vec<Fault>, field: &str, found: Vec<(String, Diagnostic)>) {
    faults.extend(found.into_iter().map(|(key, diagnostic)| {
        let mut at = format!("/{field}");
        push_segment(&mut at, &key);
        let help = diagnostic.help.map(|help| format!("; {help}")).unwrap_or_default();
        Fault::at(at, format!("{}{help}", diagnostic.message))
    }));
}

fn shown(row: &VersionRow, record: PolicyRecord) -> Result<Policy, Problem> {
    Ok(Policy {
        id: Id::from_u128(row.id),
        name: row.name.clone(),
        version: row.version,
        source: record.source,
        findings: serde_json::from_value(record.findings).map_err(|_| Problem::from(Code::Internal))?,
        bounds: record.bounds,
        created_at: row.created_at,
    })
}

fn read(row: VersionRow) -> Result<Policy, Problem> {
    let record = PolicyRecord::read(&row.doc)?;
    shown(&row, record)
}

/// 422 `policy_invalid` with everything that was found.
fn invalid(found: &FileFindings) -> Problem {
    let findings = Report::of(std::slice::from_ref(found)).findings;
    let findings = serde_json::to_value(findings).unwrap_or_default();
    Problem { findings: Some(Box::new(findings)), ..Problem::from(Code::PolicyInvalid) }
}

fn file(text: &str, bare_name: Option<String>) -> SourceFile {
    SourceFile { path: SOURCE.to_owned(), text: text.to_owned(), bare_name }
}

/// A policy of a publication: the version that it gets, or has.
struct Version {
    row: VersionRow,
    record: PolicyRecord,
    is_new: bool,
}

/// The text of one policy of a source, with the comment right above it, and the findings about it: the
/// whole source where it holds one policy.
fn own_part(
    source: &str,
    policy: &Checked,
    alone: bool,
    findings: &[Diagnostic],
) -> (String, Vec<ReportedFinding>) {
    let range = if alone { 0..source.len() } else { with_comment_above(source, &policy.at) };
    let text = source.get(range.clone()).unwrap_or(source).to_owned();
    let inside = findings.iter().filter(|f| f.at.start >= range.start && f.at.end <= range.end);
    let findings = inside
        .map(|finding| {
            let mut finding = finding.clone();
            let moved = |at: &std::ops::Range<usize>| at.start - range.start..at.end - range.start;
            finding.at = moved(&finding.at);
            finding.fix.retain(|edit| edit.at.start >= range.start && edit.at.end <= range.end);
            for edit in &mut finding.fix {
                edit.at = moved(&edit.at);
            }
            ReportedFinding::of(&policy.name, &text, &finding)
        })
        .collect();
    (text, findings)
}

/// The policies of a source in an order in which each stands behind those of the source that it uses.
fn in_order_of_use(policies: &[Checked]) -> Vec<usize> {
    let names: HashSet<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
    // A policy names all that it uses, nested ones too: the fewer siblings it uses, the earlier.
    let siblings = |policy: &Checked| policy.uses.iter().filter(|used| names.contains(used.as_str())).count();
    let mut order: Vec<usize> = (0..policies.len()).collect();
    order.sort_by_key(|index| policies.get(*index).map_or(0, siblings));
    order
}

async fn versions_of(
    call: &Call,
    shelf: &Shelf<'_>,
    source: &str,
    compiled: &Compiled,
    findings: &[Diagnostic],
) -> Result<Vec<Version>, Problem> {
    let alone = compiled.policies.len() == 1;
    let mut fresh: HashMap<&str, String> = HashMap::new();
    let mut versions: Vec<(usize, Version)> = Vec::new();
    for index in in_order_of_use(&compiled.policies) {
        let Some(policy) = compiled.policies.get(index) else { continue };
        let (text, findings) = own_part(source, policy, alone, findings);
        let uses: Vec<String> = policy
            .uses
            .iter()
            .map(|used| fresh.get(used.as_str()).cloned().unwrap_or_else(|| used.clone()))
            .collect();
        let record = PolicyRecord {
            source: text,
            uses,
            findings: serde_json::to_value(findings).unwrap_or_default(),
            bounds: serde_json::to_value(bounds(&compile(policy), &shelf.catalog(policy)))
                .unwrap_or_default(),
        };
        let known = call.scope.version_name(POLICIES.kind, &policy.name).await?;
        let newest = known.as_ref().map_or(0, |known| known.newest);
        let standing = match known.filter(|known| known.newest > known.deleted) {
            Some(known) => call.scope.version(POLICIES.kind, &policy.name, Some(known.newest)).await?,
            None => None,
        };
        let same = match standing {
            Some(row) => {
                let standing = PolicyRecord::read(&row.doc)?;
                (standing.source == record.source && standing.uses == record.uses).then_some((row, standing))
            }
            None => None,
        };
        let version = match same {
            Some((row, record)) => Version { row, record, is_new: false },
            None => Version {
                row: VersionRow {
                    name: policy.name.clone(),
                    version: newest + 1,
                    id: call.mint::<kinds::Policy>().as_u128(),
                    created_at: call.now(),
                    doc: record.doc()?,
                },
                record,
                is_new: true,
            },
        };
        fresh.insert(&policy.name, format!("{}@{}", version.row.name, version.row.version));
        versions.push((index, version));
    }
    versions.sort_by_key(|(index, _)| *index);
    Ok(versions.into_iter().map(|(_, version)| version).collect())
}

async fn publish(call: Call, body: PublishPolicies) -> Result<Answer, Problem> {
    let source = file(body.source.as_str(), body.name.map(ObjectName::into_string));
    for _ in 0..CONFLICTS_MAX {
        let mut shelf = Shelf::of(&call).await?;
        let (compiled, found) = shelf.check(&source).await?;
        if found.has_errors() || compiled.policies.is_empty() {
            return Err(invalid(&found));
        }
        let versions = versions_of(&call, &shelf, &source.text, &compiled, &found.findings).await?;
        let shown: Vec<Policy> =
            versions.iter().map(|v| shown(&v.row, v.record.clone())).collect::<Result<_, _>>()?;
        let new: Vec<VersionRow> = versions.into_iter().filter(|v| v.is_new).map(|v| v.row).collect();
        let answer = Answer::json(if new.is_empty() { 200 } else { 201 }, &Published { data: shown })?;
        if let Some(answer) = POLICIES.publish(&call, new, answer).await? {
            return Ok(answer);
        }
    }
    Err(Uncommitted::Conflict.into())
}

async fn list(call: Call, query: PlainQuery) -> Result<Answer, Problem> {
    POLICIES.list(call, query, read).await
}

async fn show(call: Call, _: Nothing) -> Result<Answer, Problem> {
    Answer::json(200, &read(POLICIES.of_path(&call, call.text(0)).await?)?)
}

async fn versions(call: Call, query: PlainQuery) -> Result<Answer, Problem> {
    POLICIES.versions(call, query, read).await
}

async fn delete(call: Call, _: Nothing) -> Result<Answer, Problem> {
    POLICIES.delete(call).await
}

async fn check(call: Call, body: CheckPolicies) -> Result<Answer, Problem> {
    let mut shelf = Shelf::of(&call).await?;
    let (_, found) = shelf.check(&file(&body.source.0, None)).await?;
    Answer::json(200, &Report::of(&[found]))
}

async fn run(call: Call, body: SimulatePolicy) -> Result<Answer, Problem> {
    let mut shelf = Shelf::of(&call).await?;
    let (field, compiled) = match (&body.source, &body.policy) {
        (Some(source), _) => {
            let (compiled, found) = shelf.check(&file(source.as_str(), None)).await?;
            if found.has_errors() {
                return Err(invalid(&found));
            }
            ("/source", compiled)
        }
        (None, Some(name)) => {
            let row = POLICIES.of_path(&call, name.as_str()).await.map_err(|problem| {
                if problem.code == Code::NotFound {
                    Problem::fault("/policy", "names a policy that is not there")
                } else {
                    problem
                }
            })?;
            ("/policy", shelf.compile(row).await?)
        }
        (None, None) => return Err(Problem::fault("", "must have one of `source`, `policy`")),
    };
    let [policy] = compiled.policies.as_slice() else {
        let names: Vec<&str> = compiled.policies.iter().map(|p| p.name.as_str()).collect();
        return Err(Problem::fault(field, format!("must hold one policy; it holds {}", names.join(", "))));
    };
    let (script, facts) = (body.script.unwrap_or_default(), body.facts.unwrap_or_default());
    let mut faults = Vec::new();
    let script = ReadScripts::from_map(script.0.iter().map(|(key, text)| (key.as_str(), text.as_str())));
    let script = script.unwrap_or_else(|found| {
        tell(&mut faults, "script", found);
        ReadScripts::default()
    });
    tell(&mut faults, "script", script.check(|key| shelf.confirms(key)));
    let facts = GivenFacts::from_map(&facts).unwrap_or_else(|found| {
        tell(&mut faults, "facts", found);
        GivenFacts::default()
    });
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let machine = compile(policy);
    let at = body.at.unwrap_or(SIMULATED_AT);
    let scenario = Scenario::given(&machine, &facts, shelf.catalog(policy), at);
    Answer::json(200, &simulate(&scenario, &script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_request_is_accepted_on_that_monday() {
        assert_eq!(SIMULATED_AT.to_string(), "2026-01-05T12:00:00.000Z");
    }

    #[test]
    fn what_lies_across_the_fields_is_told() {
        let told = |value: Value| {
            let mut faults = Vec::new();
            let now = Instant::from_ms(0);
            let surroundings = Surroundings { environment: crate::model::Environment::Test, now };
            SimulatePolicy::across(&value, &surroundings, &mut faults);
            PublishPolicies::across(&value, &surroundings, &mut faults);
            faults.into_iter().map(|f| f.pointer.unwrap_or_default()).collect::<Vec<_>>()
        };
        assert_eq!(told(serde_json::json!({"source": "sms"})), ["/name"]);
        assert_eq!(told(serde_json::json!({"source": "policy a { sms }", "name": "a"})), ["/name"]);
        assert_eq!(
            told(
                serde_json::json!({"policy": "a", "script": {"sms": "nope"}, "facts": {"quota.sms": "full"}})
            ),
            ["/script/sms", "/facts/quota.sms"]
        );
        assert_eq!(told(serde_json::json!({})), [""]);
    }

    #[test]
    fn the_part_of_a_policy_has_its_own_lines() {
        let source = "# two\npolicy a { sms }\npolicy b { use a then watsapp }\n";
        let compiled = crate::language::compile(
            "policy a { sms }\npolicy b { use a }",
            None,
            &crate::language::NoLibrary,
        );
        assert_eq!(in_order_of_use(&compiled.policies), [0, 1]);
        let turned = crate::language::compile(
            "policy b { use a }\npolicy a { sms }",
            None,
            &crate::language::NoLibrary,
        );
        assert_eq!(in_order_of_use(&turned.policies), [1, 0]);
        let finding = Diagnostic {
            rule: "x",
            severity: crate::language::Severity::Note,
            at: source.find("watsapp").map(|at| at..at + 7).unwrap(),
            message: String::new(),
            help: None,
            fix: Vec::new(),
            counterexample: None,
        };
        let start = source.find("policy b").unwrap();
        let policy = Checked { at: start..source.len() - 1, ..compiled.policies[1].clone() };
        let (text, findings) = own_part(source, &policy, false, &[finding]);
        assert_eq!(text, "policy b { use a then watsapp }");
        assert_eq!((findings[0].line, findings[0].column), (1, 23));
    }
}
