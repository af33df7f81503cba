//! The record of a lock as the user metadata of an object, in the format of JVM nodes.

use std::time::SystemTime;

use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectMeta, PutPayload, UpdateVersion};
use shedlock_runtime::{
    ErrorKind, LockError, LockRecord, NameEncoding, Position, Snapshot, format_timestamp,
    parse_timestamp,
};

use crate::protocol::Protocol;

/// The encoding of texts in metadata, which can hold visible ASCII characters only.
const TEXTS: NameEncoding = NameEncoding::new('%', |c| c.is_ascii_graphic());
/// The content of objects in Google Cloud Storage, as JVM nodes write it.
const GCS_BODY: &str = "_lock";
/// The size of an object that stands for a deleted record. No record has this size, so a list tells the two apart without reading them.
pub(crate) const DELETED_BYTES: usize = 61;

/// The names of the metadata of a record. A name is the end of a header's name, so upper and lower case are the same.
struct Names {
    lock_until: &'static str,
    locked_at: &'static str,
    locked_by: &'static str,
    /// Only in Google Cloud Storage, where JVM nodes write it.
    lock_name: Option<&'static str>,
    // JVM nodes pass over the metadata that follow.
    fencing_token: &'static str,
    position: &'static str,
    deleted: &'static str,
}

const S3: Names = Names {
    lock_until: "lock-until",
    locked_at: "locked-at",
    locked_by: "locked-by",
    lock_name: None,
    fencing_token: "fencing-token",
    position: "position",
    deleted: "deleted",
};

/// Azure takes no `-` in the names of metadata.
const AZURE: Names = Names {
    lock_until: "lockuntil",
    locked_at: "lockedat",
    locked_by: "lockedby",
    lock_name: None,
    fencing_token: "fencingtoken",
    position: "position",
    deleted: "deleted",
};

const GCS: Names = Names {
    lock_name: Some("lockname"),
    ..AZURE
};

/// An object as it is written.
pub(crate) struct Object {
    pub(crate) attributes: Attributes,
    pub(crate) body: PutPayload,
}

impl Protocol {
    fn names(self) -> &'static Names {
        match self {
            Self::S3 => &S3,
            Self::Gcs => &GCS,
            Self::Azure => &AZURE,
        }
    }

    /// The object with the record of the lock `name`.
    pub(crate) fn object(self, name: &str, record: &LockRecord) -> Result<Object, LockError> {
        let names = self.names();
        let mut texts = vec![
            (names.lock_until, format_timestamp(record.lock_until)),
            (names.locked_at, format_timestamp(record.locked_at)),
            (
                names.locked_by,
                TEXTS.encode(&record.locked_by).into_owned(),
            ),
        ];
        if let Some(lock_name) = names.lock_name {
            texts.push((lock_name, TEXTS.encode(name).into_owned()));
        }
        if record.fencing_token > 0 {
            texts.push((names.fencing_token, record.fencing_token.to_string()));
        }
        if let Some(position) = &record.position {
            texts.push((names.position, position_text(position)));
        }
        self.assemble(texts)
    }

    /// The object that stands for a deleted record. To JVM nodes, it is the record of a lock that is free.
    pub(crate) fn deleted(self, name: &str) -> Result<Object, LockError> {
        let long_ago = SystemTime::UNIX_EPOCH;
        let record = LockRecord::new(long_ago, long_ago, "-".to_owned(), 0);
        let mut object = self.object(name, &record)?;
        let deleted = Attribute::Metadata(self.names().deleted.into());
        object.attributes.insert(deleted, "true".into());
        object.body = random::<DELETED_BYTES>()?.to_vec().into();
        Ok(object)
    }

    fn assemble(self, texts: Vec<(&'static str, String)>) -> Result<Object, LockError> {
        let mut attributes = Attributes::with_capacity(texts.len() + 1);
        attributes.insert(Attribute::ContentType, "application/octet-stream".into());
        for (name, text) in texts {
            attributes.insert(Attribute::Metadata(name.into()), text.into());
        }
        let body = match self {
            Self::Gcs => GCS_BODY.into(),
            // In S3, the ETag of an object depends on the content alone. It must be new with each write.
            Self::S3 | Self::Azure => random::<16>()?.to_vec().into(),
        };
        Ok(Object { attributes, body })
    }

    /// Whether these metadata are a record's.
    pub(crate) fn has_record(self, attributes: &Attributes) -> bool {
        let lock_until = text(attributes, self.names().lock_until);
        lock_until.and_then(parse_timestamp).is_some()
    }

    /// What is stored in an object with these metadata.
    pub(crate) fn snapshot(
        self,
        meta: &ObjectMeta,
        attributes: &Attributes,
    ) -> Snapshot<UpdateVersion> {
        let names = self.names();
        let version = UpdateVersion {
            e_tag: meta.e_tag.clone(),
            version: meta.version.clone(),
        };
        let text = |name| text(attributes, name);
        if text(names.deleted).is_some() {
            return Snapshot::deleted(version);
        }
        let Some(lock_until) = text(names.lock_until) else {
            return unreadable(
                &meta.location,
                &format!("has no metadata `{}`", names.lock_until),
            );
        };
        let Some(lock_until) = parse_timestamp(lock_until) else {
            let problem = format!("has a `{}` that is no time", names.lock_until);
            return unreadable(&meta.location, &problem);
        };
        let locked_at = text(names.locked_at).and_then(parse_timestamp);
        let locked_by = text(names.locked_by).unwrap_or_default();
        let mut record = LockRecord::new(
            lock_until,
            locked_at.unwrap_or_else(|| meta.last_modified.into()),
            // A JVM node writes the name of its host as it is.
            TEXTS
                .decode(locked_by)
                .unwrap_or_else(|| locked_by.to_owned()),
            text(names.fencing_token)
                .and_then(|it| it.parse().ok())
                .unwrap_or(0),
        );
        record.position = text(names.position).and_then(position);
        if record.position.is_none() && text(names.position).is_some() {
            // Taken for none, it would let a run be repeated.
            let problem = format!("has a `{}` that is no position", names.position);
            return unreadable(&meta.location, &problem);
        }
        Snapshot::record(record, version)
    }
}

fn text<'a>(attributes: &'a Attributes, name: &'static str) -> Option<&'a str> {
    let value = attributes.get(&Attribute::Metadata(name.into()))?;
    Some(value.as_ref())
}

fn unreadable(key: &Path, problem: &str) -> Snapshot<UpdateVersion> {
    Snapshot::unreadable(format!("not a lock's record: the object `{key}` {problem}"))
}

fn position_text(position: &Position) -> String {
    let state = if position.is_done { "done" } else { "begun" };
    format!("{} {} {state}", position.number, position.tries)
}

fn position(text: &str) -> Option<Position> {
    let mut parts = text.split(' ');
    Some(Position {
        number: parts.next()?.parse().ok()?,
        tries: parts.next()?.parse().ok()?,
        is_done: match parts.next()? {
            "done" => true,
            "begun" => false,
            _ => return None,
        },
    })
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], LockError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        let problem = "the operating system has no random bytes";
        LockError::new(ErrorKind::Other, problem).with_source(error)
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back() {
        for is_done in [true, false] {
            let there = Position {
                number: 1_795_863_775_972,
                is_done,
                tries: 2,
            };
            assert_eq!(position(&position_text(&there)), Some(there));
        }
        for other in ["", "1 done", "1 2", "1 2 gone", "-1 2 done"] {
            assert_eq!(position(other), None, "{other}");
        }
    }
}
