//! Platforms: operating system, processor and its variant.

use std::fmt;
use std::str::FromStr;

use crate::error::DocumentError;

/// A platform in the words of the image specification, such as `linux/arm64/v8`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    /// The platform of this machine.
    #[must_use]
    pub fn host() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "x86" => ("386", None),
            "aarch64" => ("arm64", Some("v8")),
            "arm" => ("arm", Some("v7")),
            "powerpc64" if cfg!(target_endian = "little") => ("ppc64le", None),
            "powerpc64" => ("ppc64", None),
            "loongarch64" => ("loong64", None),
            other => (other, None),
        };
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        }
    }

    /// A platform of these parts; an empty variant is none. Words of uname(1) stand for those of Go, as some tools write
    /// them.
    #[must_use]
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let architecture = match architecture {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            "i386" | "i486" | "i586" | "i686" => "386",
            other => other,
        };
        Self {
            os: os.to_ascii_lowercase(),
            architecture: architecture.to_owned(),
            variant: variant.filter(|v| !v.is_empty()).map(str::to_owned),
        }
    }

    /// The operating system.
    #[must_use]
    pub fn os(&self) -> &str {
        &self.os
    }

    /// The processor, as Go calls it.
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The variant of the processor.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// How well an image for `offered` runs here: the higher the better, `None` for not at all.
    #[must_use]
    pub fn rank(&self, offered: &Self) -> Option<u32> {
        if self.os != offered.os || self.architecture != offered.architecture {
            return None;
        }
        let wanted = self.level();
        let have = offered.level();
        match self.architecture.as_str() {
            // Levels of these processors include the ones below.
            "arm" | "amd64" | "arm64" => (have <= wanted).then_some(have + 1),
            _ => (self.variant == offered.variant || offered.variant.is_none()).then_some(1),
        }
    }

    /// The number in `v7`; what is left out is what the specification calls the default.
    fn level(&self) -> u32 {
        let default = match self.architecture.as_str() {
            "arm64" => 80,
            "arm" => 70,
            _ => 10,
        };
        let Some(variant) = self.variant.as_deref().and_then(|v| v.strip_prefix('v')) else {
            return if self.variant.is_none() {
                default
            } else {
                u32::MAX - 1
            };
        };
        let (major, minor) = variant.split_once('.').unwrap_or((variant, "0"));
        match (major.parse::<u16>(), minor.parse::<u16>()) {
            (Ok(major), Ok(minor)) if minor < 10 => u32::from(major) * 10 + u32::from(minor),
            _ => u32::MAX - 1,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Platform {
    type Err = DocumentError;

    /// Parses `OS/ARCHITECTURE[/VARIANT]`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        match parts.as_slice() {
            [os, architecture] if word(os) && word(architecture) => {
                Ok(Self::new(os, architecture, None))
            }
            [os, architecture, variant] if word(os) && word(architecture) && word(variant) => {
                Ok(Self::new(os, architecture, Some(variant)))
            }
            _ => Err(DocumentError::BadManifest {
                what: format!("platform {:?}", text.chars().take(80).collect::<String>()),
                reason: "it must be OS/ARCHITECTURE[/VARIANT]".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(host: &str, offered: &str) -> Option<u32> {
        let host: Platform = host.parse().unwrap();
        host.rank(&offered.parse().unwrap())
    }

    #[test]
    fn a_lower_level_runs_on_a_higher_one_and_the_highest_is_taken() {
        assert!(rank("linux/arm/v7", "linux/arm/v6") < rank("linux/arm/v7", "linux/arm/v7"));
        assert!(rank("linux/arm/v7", "linux/arm/v6").is_some());
        assert_eq!(rank("linux/arm/v6", "linux/arm/v7"), None);
        assert_eq!(rank("linux/amd64", "linux/amd64/v3"), None);
        assert!(rank("linux/amd64", "linux/amd64").is_some());
        assert!(rank("linux/amd64", "linux/amd64/v1").is_some());
        assert!(rank("linux/arm64/v8", "linux/arm64").is_some());
        assert_eq!(rank("linux/arm64/v8", "linux/arm64/v8.2"), None);
    }

    #[test]
    fn other_systems_and_processors_never_fit() {
        assert_eq!(rank("linux/amd64", "linux/arm64"), None);
        assert_eq!(rank("linux/amd64", "windows/amd64"), None);
        assert_eq!(rank("linux/amd64", "unknown/unknown"), None);
        assert_eq!(rank("linux/amd64", "linux/amd64/vx"), None);
    }

    #[test]
    fn words_of_the_kernel_stand_for_those_of_go() {
        for (text, same) in [
            ("linux/x86_64", "linux/amd64"),
            ("Linux/amd64", "linux/amd64"),
            ("linux/aarch64/v8", "linux/arm64/v8"),
            ("linux/i686", "linux/386"),
        ] {
            assert_eq!(text.parse::<Platform>().unwrap(), same.parse().unwrap());
        }
    }

    #[test]
    fn text_and_platform_go_both_ways() {
        for text in ["linux/amd64", "linux/arm/v7"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for bad in ["", "linux", "linux/", "a/b/c/d", "a b/c"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }
}
