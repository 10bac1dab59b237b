//! The query of a snapshot, as the document stores it.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::reading::InvalidValue;
use crate::model::Target;
use crate::model::target::{Parts, ServiceName};
use crate::model::{Family, Protocol};
use crate::model::{Selection, Text, UserName};

#[derive(Serialize, Deserialize)]
pub(super) struct AskedJson {
    targets: Vec<TargetJson>,
    protocols: Vec<String>,
    families: Vec<String>,
    all: bool,
    exposed: bool,
    pids: Vec<u32>,
    /// The uid, if the user was given by number.
    users: Vec<String>,
    commands: Vec<String>,
    /// This and the next two are missing from documents of older versions, which had no such filters.
    #[serde(default)]
    trees: Vec<u32>,
    #[serde(default)]
    directories: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directories_bytes: Option<Vec<String>>,
    #[serde(default)]
    developer: bool,
    all_namespaces: bool,
    /// Whether connections were requested. Documents of older versions do not have it.
    #[serde(default)]
    connections: bool,
}

#[derive(Serialize, Deserialize)]
struct TargetJson {
    protocol: Option<String>,
    family: Option<String>,
    address: Option<IpAddr>,
    interface: Option<String>,
    /// The first and the last.
    ports: Option<(u16, u16)>,
    path: Option<String>,
    /// Set only if the services file defines the name: the name and the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service_file: Option<String>,
}

impl From<&Selection> for AskedJson {
    fn from(selection: &Selection) -> Self {
        let families = [(selection.ipv4, Family::Ipv4), (selection.ipv6, Family::Ipv6)];
        let wanted = families.into_iter().filter(|(wanted, _)| *wanted);
        let user = |user: &UserName| match user {
            UserName::Uid(uid) => uid.to_string(),
            UserName::Name(name) => name.clone(),
        };
        let folders = &selection.directories;
        let valid = folders.iter().all(|folder| folder.as_str().is_some());
        let encode = |folder: &Text| BASE64.encode(folder.as_bytes());
        AskedJson {
            targets: selection.targets.iter().map(TargetJson::from).collect(),
            protocols: selection.protocols.iter().map(|protocol| protocol.as_str().to_owned()).collect(),
            families: wanted.map(|(_, family)| family.as_str().to_owned()).collect(),
            all: selection.all,
            exposed: selection.exposed,
            pids: selection.pids.clone(),
            users: selection.users.iter().map(user).collect(),
            commands: selection.commands.clone(),
            trees: selection.trees.clone(),
            directories: folders.iter().map(|folder| folder.to_string_lossy().into_owned()).collect(),
            directories_bytes: (!valid).then(|| folders.iter().map(encode).collect()),
            developer: selection.developer,
            all_namespaces: selection.namespaces,
            connections: selection.connections,
        }
    }
}

impl From<&Target> for TargetJson {
    fn from(target: &Target) -> Self {
        let parts = target.parts();
        TargetJson {
            protocol: parts.protocol.map(|protocol| protocol.as_str().to_owned()),
            family: parts.family.map(|family| family.as_str().to_owned()),
            address: parts.address,
            interface: parts.interface,
            ports: parts.ports,
            path: parts.path,
            service: parts.service.as_ref().map(|service| service.name.clone()),
            service_file: parts.service.map(|service| service.file),
        }
    }
}

impl TryFrom<AskedJson> for Selection {
    type Error = InvalidValue;

    fn try_from(json: AskedJson) -> Result<Self, InvalidValue> {
        let family = |name: &String| match Family::parse(name) {
            Some(family @ (Family::Ipv4 | Family::Ipv6)) => Ok(family),
            _ => Err(InvalidValue("families")),
        };
        let families: Vec<Family> = json.families.iter().map(family).collect::<Result<_, _>>()?;
        let protocol = |name: &String| Protocol::parse(name).ok_or(InvalidValue("protocols"));
        let user = |user: String| user.parse().map_or(UserName::Name(user), UserName::Uid);
        let decode = |folder: &String| {
            BASE64.decode(folder).map(Text::from).map_err(|_| InvalidValue("asked.directories_bytes"))
        };
        let directories = match &json.directories_bytes {
            Some(encoded) => encoded.iter().map(decode).collect::<Result<_, _>>()?,
            None => json.directories.iter().map(|folder| folder.as_str().into()).collect(),
        };
        Ok(Selection {
            targets: json.targets.into_iter().map(Target::try_from).collect::<Result<_, _>>()?,
            protocols: json.protocols.iter().map(protocol).collect::<Result<_, _>>()?,
            ipv4: families.contains(&Family::Ipv4),
            ipv6: families.contains(&Family::Ipv6),
            all: json.all,
            exposed: json.exposed,
            pids: json.pids,
            users: json.users.into_iter().map(user).collect(),
            commands: json.commands,
            trees: json.trees,
            directories,
            developer: json.developer,
            namespaces: json.all_namespaces,
            connections: json.connections,
        })
    }
}

impl TryFrom<TargetJson> for Target {
    type Error = InvalidValue;

    fn try_from(json: TargetJson) -> Result<Self, InvalidValue> {
        let protocol = |name: String| Protocol::parse(&name).ok_or(InvalidValue("targets.protocol"));
        let family = |name: String| Family::parse(&name).ok_or(InvalidValue("targets.family"));
        let parts = Parts {
            protocol: json.protocol.map(protocol).transpose()?,
            family: json.family.map(family).transpose()?,
            address: json.address,
            interface: json.interface,
            ports: json.ports,
            path: json.path,
            service: json.service.zip(json.service_file).map(|(name, file)| ServiceName { name, file }),
        };
        Target::try_from_parts(parts).ok_or(InvalidValue("targets"))
    }
}
