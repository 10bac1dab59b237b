//! Reads holders back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{InvalidValue, file_change, plain, text, text_option, unknown_user};
use crate::model::{
    Condition, Container, Evidence, Freezer, FreezerScope, GitHead, Holder, Process, ProcessId, Project,
    RelatedProcess, Service, Supervisor, Text,
};
use crate::render::json::{
    ConditionJson, FreezerJson, HolderJson, ProjectJson, RelatedProcessJson, SupervisorJson,
};

impl TryFrom<HolderJson> for Holder {
    type Error = InvalidValue;

    fn try_from(json: HolderJson) -> Result<Self, InvalidValue> {
        let command = match (&json.command, &json.command_bytes) {
            (_, Some(encoded)) => {
                let decode = |argument: &String| BASE64.decode(argument).map(Text::from);
                let decoded: Result<Vec<Text>, _> = encoded.iter().map(decode).collect();
                Some(decoded.map_err(|_| InvalidValue("holders.command_bytes"))?)
            }
            (command, None) => command
                .as_ref()
                .map(|command| command.iter().map(|argument| argument.as_str().into()).collect()),
        };
        let process = Process {
            id: ProcessId { pid: json.pid, start: json.start },
            name: text(&json.name, json.name_bytes.as_ref(), "holders.name_bytes")?,
            command,
            script: text_option(&json.script, &json.script_bytes, "holders.script_bytes")?,
            script_change: file_change(&json.script_change, "holders.script_change")?,
            executable_change: file_change(&json.executable_change, "holders.executable_change")?,
            executable: text_option(&json.executable, &json.executable_bytes, "holders.executable_bytes")?,
            directory: text_option(&json.directory, &json.directory_bytes, "holders.directory_bytes")?,
            project: json.project.map(Project::try_from).transpose()?,
            uid: json.uid,
            user: plain(&json.user),
            unknown_user: unknown_user(&json.user_unknown, "holders.user_unknown")?,
            started_at: json.started_at,
            parents: related(json.parents)?,
            children: json.children.map(related).transpose()?,
            supervisor: json.supervisor.map(Supervisor::try_from).transpose()?,
            service: json.service.map(Service::from),
            container: json.container.map(Container::from),
            condition: json.condition.map(Condition::try_from).transpose()?,
        };
        let evidence = Evidence::parse(&json.evidence).ok_or(InvalidValue("holders.evidence"))?;
        Ok(Holder { process: process.into(), descriptors: json.descriptors, evidence })
    }
}

fn related(processes: Vec<RelatedProcessJson>) -> Result<Vec<RelatedProcess>, InvalidValue> {
    processes.into_iter().map(RelatedProcess::try_from).collect()
}

impl TryFrom<RelatedProcessJson> for RelatedProcess {
    type Error = InvalidValue;

    fn try_from(json: RelatedProcessJson) -> Result<Self, InvalidValue> {
        let name = text(&json.name, json.name_bytes.as_ref(), "holders.parents.name_bytes")?;
        Ok(RelatedProcess { pid: json.pid, name })
    }
}

impl TryFrom<ConditionJson> for Condition {
    type Error = InvalidValue;

    fn try_from(json: ConditionJson) -> Result<Self, InvalidValue> {
        let parent = |parent: Option<RelatedProcessJson>| parent.map(RelatedProcess::try_from).transpose();
        match (json.state.as_str(), json.freezer) {
            ("stopped", _) => Ok(Condition::Stopped { shell: parent(json.shell)? }),
            ("traced", _) => Ok(Condition::Traced { tracer: parent(json.tracer)? }),
            ("frozen", Some(freezer)) => Ok(Condition::Frozen(Freezer::try_from(freezer)?)),
            ("frozen", None) => Err(InvalidValue("holders.condition.freezer")),
            _ => Err(InvalidValue("holders.condition.state")),
        }
    }
}

impl TryFrom<FreezerJson> for Freezer {
    type Error = InvalidValue;

    fn try_from(json: FreezerJson) -> Result<Self, InvalidValue> {
        let key = "holders.condition.freezer";
        Ok(Freezer {
            version: Some(json.version)
                .filter(|version| matches!(version, 1 | 2))
                .ok_or(InvalidValue(key))?,
            cgroup: text(&json.cgroup, json.cgroup_bytes.as_ref(), key)?,
            control: text_option(&json.control, &json.control_bytes, key)?,
            scope: match &json.scope {
                Some(scope) => Some(FreezerScope::parse(scope).ok_or(InvalidValue(key))?),
                None => None,
            },
        })
    }
}

impl TryFrom<ProjectJson> for Project {
    type Error = InvalidValue;

    fn try_from(json: ProjectJson) -> Result<Self, InvalidValue> {
        Ok(Project {
            directory: text(
                &json.directory,
                json.directory_bytes.as_ref(),
                "holders.project.directory_bytes",
            )?,
            marker: json.marker.as_str().into(),
            head: text_option(&json.branch, &json.branch_bytes, "holders.project.branch_bytes")?
                .map(GitHead::from_text),
            worktree: text_option(&json.worktree, &json.worktree_bytes, "holders.project.worktree_bytes")?,
        })
    }
}

impl TryFrom<SupervisorJson> for Supervisor {
    type Error = InvalidValue;

    fn try_from(json: SupervisorJson) -> Result<Self, InvalidValue> {
        let name = text(&json.name, json.name_bytes.as_ref(), "holders.supervisor.name_bytes")?;
        Ok(Supervisor { kind: json.kind.as_str().into(), pid: json.pid, name, terminal: json.terminal })
    }
}
