use proptest::prelude::*;
use serde_json::json;

use super::*;

fn bounding(all: &[Capability]) -> BTreeSet<Capability> {
    all.iter().copied().collect()
}

fn read(document: &serde_json::Value) -> Result<SeccompProfile, ProfileError> {
    let text = serde_json::to_vec(document).unwrap();
    parse(&text, &bounding(&[Capability::SysChroot]))
}

/// The names of the rules that count.
fn counted(rule: serde_json::Value) -> usize {
    let document = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]});
    read(&document).unwrap().syscalls.len()
}

#[test]
fn a_profile_as_docker_writes_it_is_understood() {
    let profile = read(&json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "archMap": [
            {"architecture": OWN.0, "subArchitectures": ["SCMP_ARCH_X86"]},
            {"architecture": "SCMP_ARCH_S390X", "subArchitectures": null}
        ],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": [], "comment": "x",
             "includes": {}, "excludes": null},
            {"name": "clone", "action": "SCMP_ACT_ALLOW", "args": [
                {"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errno": "ENOSYS"}
        ]
    }))
    .unwrap();
    assert_eq!(profile.default_errno_ret, Some(38));
    assert_eq!(profile.architectures, [OWN.1]);
    assert_eq!(profile.flags, [SeccompFlag::Log]);
    let [plain, clone, clone3] = profile.syscalls.as_slice() else {
        panic!("{profile:?}");
    };
    assert_eq!(plain.names, ["read", "write"]);
    let masked = SeccompArgument {
        index: 0,
        value: 2_114_060_288,
        value_two: Some(0),
        op: SeccompOperator::MaskedEqual,
    };
    assert_eq!(
        (clone.names.as_slice(), clone.args.as_slice()),
        (&["clone".to_owned()][..], &[masked][..])
    );
    assert_eq!(clone3.errno_ret, Some(38));
}

#[test]
fn rules_count_where_all_that_they_include_is_so_and_nothing_that_they_exclude() {
    let rule = |includes, excludes| json!({"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": includes, "excludes": excludes});
    let foreign = "s390x";
    for (includes, excludes, expected) in [
        (json!({}), json!({}), 1),
        (json!({"caps": ["CAP_SYS_CHROOT"]}), json!({}), 1),
        (json!({"caps": ["CAP_SYS_CHROOT", "CAP_BPF"]}), json!({}), 0),
        (json!({}), json!({"caps": ["CAP_BPF", "CAP_SYS_CHROOT"]}), 0),
        (json!({}), json!({"caps": ["CAP_BPF"]}), 1),
        (json!({"arches": [foreign, OWN.2]}), json!({}), 1),
        (json!({"arches": [foreign]}), json!({}), 0),
        (json!({}), json!({"arches": [OWN.2]}), 0),
        (json!({"minKernel": "4.8"}), json!({}), 1),
        (json!({"minKernel": "99.0"}), json!({}), 0),
        (json!({}), json!({"minKernel": "4.8"}), 0),
    ] {
        let shown = format!("{includes} {excludes}");
        assert_eq!(counted(rule(includes, excludes)), expected, "{shown}");
    }
}

#[test]
fn what_is_not_known_is_refused_by_its_name() {
    let with = |member: &str, value: serde_json::Value| {
        let mut document = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [
                {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}], "includes": {"caps": ["BPF"]}}]});
        *document.pointer_mut(member).unwrap() = value;
        read(&document).unwrap_err().to_string()
    };
    let none =
        read(&json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_S390X"]}));
    assert_eq!(none.unwrap_err(), ProfileError::Architecture);
    for (member, value, part) in [
        (
            "/defaultAction",
            json!("SCMP_ACT_NOTHING"),
            "SCMP_ACT_NOTHING",
        ),
        (
            "/defaultAction",
            json!("SCMP_ACT_NOTIFY"),
            "needs a program",
        ),
        (
            "/syscalls/0/action",
            json!("SCMP_ACT_TRACE"),
            "SCMP_ACT_TRACE",
        ),
        ("/syscalls/0/args/0/op", json!("SCMP_CMP_XX"), "SCMP_CMP_XX"),
        ("/syscalls/0/args/0/index", json!(6), "number 6"),
        (
            "/syscalls/0/includes",
            json!({"caps": ["CAP_NONE"]}),
            "CAP_NONE",
        ),
        ("/syscalls/0/includes", json!({"minKernel": "new"}), "`new`"),
        (
            "/syscalls/0",
            json!({"names": [], "action": "SCMP_ACT_ALLOW", "errno": "EWHAT"}),
            "EWHAT",
        ),
        (
            "/syscalls/0",
            json!({"action": "SCMP_ACT_ALLOW", "unless": 1}),
            "unless",
        ),
        ("/syscalls", json!(7), "invalid type"),
    ] {
        let error = with(member, value);
        assert!(error.contains(part), "{member}: {error}");
    }
    let notify = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x"});
    assert!(matches!(read(&notify), Err(ProfileError::NobodyAnswers(_))));
}

proptest! {
    #[test]
    fn more_capabilities_never_make_an_including_rule_count_less(
        caps in proptest::sample::subsequence(Capability::ALL, 0..5),
        has in proptest::sample::subsequence(Capability::ALL, 0..20),
        more in proptest::sample::subsequence(Capability::ALL, 0..20),
    ) {
        let names: Vec<_> = caps.iter().map(|one| one.word()).collect();
        let document = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": names}}]});
        let text = serde_json::to_vec(&document).unwrap();
        let few = parse(&text, &bounding(&has)).unwrap().syscalls.len();
        let all = bounding(&[has, more].concat());
        let many = parse(&text, &all).unwrap().syscalls.len();
        prop_assert!(few <= many);
    }
}
