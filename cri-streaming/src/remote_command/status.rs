//! How a command ended, as clients are told: a `Status` of Kubernetes' API, or its text.

use serde::Serialize;

use super::version::Version;
use crate::process::Ended;

/// What a client is told at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// All is well.
    Success,
    /// The command ended with another code than 0.
    ExitCode(u8),
    /// There is no code.
    Failure(String),
}

/// What a process is to its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The client asked for it, and is told how it ends.
    Exec,
    /// It was there before the client, and is when the client has left.
    Attach,
}

/// What the end of a process means to its client.
///
/// Who is attached to an app is not told of its code: `kubectl` takes any failure of attaching for
/// one of the connection, and reads the code in the state of the pod.
#[must_use]
pub fn exit_status(kind: Kind, ended: Ended) -> Status {
    match ended {
        Ended::Failed(reason) => Status::Failure(reason),
        Ended::Exited(code @ 1..) if kind == Kind::Exec => Status::ExitCode(code),
        Ended::Exited(_) | Ended::Detached => Status::Success,
    }
}

impl Status {
    /// What is written to the error channel: JSON from the fourth version on, before it a text for
    /// failures.
    #[must_use]
    pub fn told(&self, version: Version) -> String {
        if !version.has_status() {
            return self.message().unwrap_or_default();
        }
        let failed = !matches!(self, Self::Success);
        let document = Document {
            metadata: Metadata {},
            status: if failed { "Failure" } else { "Success" },
            message: self.message(),
            reason: match self {
                Self::Success => None,
                Self::ExitCode(_) => Some("NonZeroExitCode"),
                Self::Failure(_) => Some("InternalError"),
            },
            details: self.cause().map(|cause| Details { causes: [cause] }),
            code: matches!(self, Self::Failure(_)).then_some(500),
        };
        // A document of texts and numbers always has a form in JSON.
        serde_json::to_string(&document).unwrap_or_default()
    }

    fn message(&self) -> Option<String> {
        match self {
            Self::Success => None,
            Self::ExitCode(code) => Some(format!(
                "command terminated with non-zero exit code: exit status {code}"
            )),
            Self::Failure(reason) => Some(format!("Internal error occurred: {reason}")),
        }
    }

    fn cause(&self) -> Option<Cause> {
        match self {
            Self::Success => None,
            Self::ExitCode(code) => Some(Cause {
                reason: Some("ExitCode"),
                message: code.to_string(),
            }),
            Self::Failure(reason) => Some(Cause {
                reason: None,
                message: reason.clone(),
            }),
        }
    }
}

/// As much of `meta/v1` `Status` as clients read.
#[derive(Serialize)]
struct Document {
    metadata: Metadata,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
}

#[derive(Serialize)]
struct Metadata {}

#[derive(Serialize)]
struct Details {
    causes: [Cause; 1],
}

#[derive(Serialize)]
struct Cause {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_told_as_each_version_has_it() {
        let success = r#"{"metadata":{},"status":"Success"}"#;
        let code = concat!(
            r#"{"metadata":{},"status":"Failure","message":"command terminated with non-zero "#,
            r#"exit code: exit status 3","reason":"NonZeroExitCode","details":{"causes":["#,
            r#"{"reason":"ExitCode","message":"3"}]}}"#,
        );
        let failure = concat!(
            r#"{"metadata":{},"status":"Failure","message":"Internal error occurred: no \"such\" "#,
            r#"container","reason":"InternalError","details":{"causes":["#,
            r#"{"message":"no \"such\" container"}]},"code":500}"#,
        );
        let text = "command terminated with non-zero exit code: exit status 3";
        let reason = "no \"such\" container";
        for (ended, version, told) in [
            (Ended::Exited(0), Version::V1, ""),
            (Ended::Exited(0), Version::V3, ""),
            (Ended::Exited(0), Version::V4, success),
            (Ended::Detached, Version::V5, success),
            (Ended::Exited(3), Version::V1, text),
            (Ended::Exited(3), Version::V2, text),
            (Ended::Exited(3), Version::V3, text),
            (Ended::Exited(3), Version::V4, code),
            (Ended::Exited(3), Version::V5, code),
            (
                Ended::Failed(reason.into()),
                Version::V2,
                "Internal error occurred: no \"such\" container",
            ),
            (Ended::Failed(reason.into()), Version::V4, failure),
        ] {
            let status = exit_status(Kind::Exec, ended.clone());
            assert_eq!(status.told(version), told, "{ended:?} {version:?}");
        }
        for (ended, told) in [
            (Ended::Exited(3), success),
            (Ended::Failed(reason.into()), failure),
        ] {
            assert_eq!(exit_status(Kind::Attach, ended).told(Version::V4), told);
        }
    }
}
