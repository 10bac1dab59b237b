//! The schemas against the types that are written, and against what was promised.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::act::{SkipReason, StepAction, StepResult, WaitFor};
use crate::compare::{ChangeKind, Difference};
use crate::model::{
    Condition, ContainerRuntime, EndSignal, ErrorName, Evidence, Exposure, Family, FileChange, FreezerScope,
    GapKind, GapReason, KernelSocketKind, PathContent, PathTarget, ProbeOutcome, Protocol, ServiceManager,
    ServiceScope, State, SupervisorKind, System, UnknownUser, UnseenReason,
};
use crate::port_info::{PortRange, Registration, UseStatus};
use crate::verdict::{Hindrance, SharedBy, VerdictKind};

fn parsed(name: &str) -> Value {
    serde_json::from_str(definition(name).unwrap()).unwrap()
}

/// Returns the enumeration at a place of a definition, without `null`: closed by `enum`, or open by `examples`.
fn listed(place: &str) -> Vec<String> {
    let (name, pointer) = place.split_at(place.find('/').unwrap());
    let schema = parsed(name);
    let values = schema.pointer(pointer).unwrap_or_else(|| panic!("{place}")).as_array().unwrap();
    values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn every_file_is_a_definition_that_a_document_uses() {
    let files =
        fs::read_dir("data/schema").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|file| file.ends_with(".json")).collect();
    let known = DEFINITIONS.iter().map(|(name, _)| format!("{name}.json"));
    assert_eq!(known.collect::<BTreeSet<_>>(), files);
    let documents = DOCUMENTS.iter().map(|(name, _)| *name);
    let used: BTreeSet<&str> =
        documents.clone().flat_map(|name| needed(definition(name).unwrap())).chain(documents).collect();
    let all: BTreeSet<&str> = DEFINITIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(used, all);
}

#[test]
fn a_schema_has_the_definitions_that_it_uses_and_no_others() {
    for (name, about) in DOCUMENTS {
        let text = schema(name).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(schema["title"], format!("{name}: {about}"));
        let references = text.split(REFERENCE).skip(1).map(|rest| rest.split('"').next().unwrap());
        let wanted: BTreeSet<&str> = references.collect();
        let empty = serde_json::Map::new();
        let got = schema["$defs"].as_object().unwrap_or(&empty).keys().map(String::as_str);
        assert_eq!(got.collect::<BTreeSet<_>>(), wanted, "{name}");
        assert!(text.lines().all(|line| line.trim_end() == line), "{name}");
    }
    assert_eq!(schema("no such document"), None);
}

#[test]
fn enumerations_are_those_of_the_types() {
    macro_rules! same {
        ($($place:literal => $names:expr,)+) => {
            $({
                let names: Vec<String> = $names.iter().map(|name| name.to_string()).collect();
                assert_eq!(listed($place), names, "{}", $place);
            })+
        };
    }
    macro_rules! names {
        ($type:ident) => {
            $type::NAMES.iter().map(|(_, name)| *name).collect::<Vec<_>>()
        };
    }
    let protocols = names!(Protocol);
    let other_gaps = ["connections", "other-namespaces"];
    let changes = names!(ChangeKind);
    let signals: Vec<&str> = EndSignal::names().collect();
    same! {
        "about-port/properties/range/properties/name/enum" => names!(PortRange),
        "about-port/properties/registry/items/properties/answer/enum" => Registration::NAMES,
        "about-port/properties/uses/items/properties/status/enum" => names!(UseStatus),
        "change-event/properties/event/enum" => [&["present"], changes.as_slice(), &["refused"]].concat(),
        "command-end/properties/may_miss/items/enum" => [protocols.as_slice(), &other_gaps].concat(),
        "condition/properties/state/enum" => Condition::NAMES,
        "condition/properties/freezer/properties/scope/enum" => names!(FreezerScope),
        "container/properties/runtime/examples" => ContainerRuntime::NAMES,
        "diff/properties/changes/items/properties/event/enum" => changes,
        "differs/items/enum" => names!(Difference),
        "error-name/examples" => ErrorName::NAMES,
        "evidence/enum" => names!(Evidence),
        "family/enum" => names!(Family),
        "file-change/enum" => names!(FileChange),
        "free-port/properties/done/items/properties/result/enum" => names!(StepResult),
        "free-port/properties/plan/items/properties/condition/enum" => Condition::NAMES,
        "free-port/properties/plan/items/properties/signal/enum" => signals,
        "gap/properties/reason/examples" => GapReason::NAMES,
        "gap/properties/what/examples" => GapKind::NAMES,
        "hindrance/enum" => Hindrance::NAMES,
        "kernel-socket/properties/kind/enum" => names!(KernelSocketKind),
        "listener/properties/exposure/enum" => names!(Exposure),
        "listener/properties/path_leads_to/enum" => names!(PathTarget),
        "listener/properties/probe/properties/outcome/enum" => names!(ProbeOutcome),
        "next/properties/skipped/items/properties/reason/enum" => names!(SkipReason),
        "protocol/enum" => protocols,
        "service/properties/manager/examples" => ServiceManager::NAMES,
        "service/properties/scope/examples" => ServiceScope::NAMES,
        "shared/properties/by/enum" => names!(SharedBy),
        "snapshot/properties/paths/items/properties/holds/enum" => names!(PathContent),
        "state/enum" => names!(State),
        "step-action/enum" => names!(StepAction),
        "supervisor/properties/kind/examples" => SupervisorKind::NAMES,
        "system/examples" => System::NAMES,
        "unseen/properties/reason/enum" => names!(UnseenReason),
        "user-unknown/enum" => names!(UnknownUser),
        "wait-target/properties/wanted/enum" => names!(WaitFor),
        "why-port/properties/verdict/enum" => names!(VerdictKind),
    }
}

/// Adds a line for each key of a schema: its path and whether it is always present.
fn add_keys(path: &str, schema: &Value, lines: &mut BTreeSet<String>) {
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        let presence =
            if required.contains(&Value::from(key.as_str())) { "always" } else { "where it applies" };
        lines.insert(format!("{path}.{key} {presence}"));
        add_keys(&format!("{path}.{key}"), value, lines);
    }
    if schema["items"].is_object() {
        add_keys(&format!("{path}[]"), &schema["items"], lines);
    }
    for branch in ["then", "else"] {
        if schema[branch].is_object() {
            add_keys(path, &schema[branch], lines);
        }
    }
}

/// What docs/json.md promises for `allears/1`: no key is removed, and none that is always present becomes optional.
#[test]
fn no_key_of_this_schema_is_removed() {
    let mut lines = BTreeSet::new();
    for (name, _) in DEFINITIONS {
        add_keys(name, &parsed(name), &mut lines);
    }
    let file = Path::new("src/render/schema/keys-1.txt");
    if std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always") {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(file, text).unwrap();
    }
    let text = fs::read_to_string(file).unwrap();
    let promised: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let removed: Vec<_> = promised.difference(&lines).collect();
    assert!(removed.is_empty(), "removed, which needs another schema number: {removed:#?}");
    let new: Vec<_> = lines.difference(&promised).collect();
    assert!(new.is_empty(), "new, to be added to {}: {new:#?}", file.display());
}
