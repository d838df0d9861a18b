//! What pod init is asked about cgroups.

use std::io::Write;

use stage1::protocol::{CgroupAnswer, CgroupRequest, FromInit, ToInit};

use super::Machine;

#[test]
fn what_is_asked_about_cgroups_is_done_and_answered_in_order() {
    let mut machine = Machine::start();
    let script = "echo up; while read line; do echo $line; done";
    let mut streams = machine.app("app", script, true);
    machine.start_apps();
    machine.read(&mut streams.stdout, Some("up"));
    let mut asked = 0;
    let mut ask = |machine: &mut Machine, request: CgroupRequest| {
        asked += 1;
        let number = asked;
        machine.tell(&ToInit::Cgroups {
            id: number,
            request,
        });
        let heard = machine.expect(
            "the answer",
            |message| matches!(message, FromInit::Cgroups { id, .. } if *id == number),
        );
        match heard.message {
            FromInit::Cgroups { answer, .. } => answer,
            other => panic!("{other:?}"),
        }
    };
    let app = || vec!["app".parse().unwrap()];
    let frozen = ask(&mut machine, CgroupRequest::Freeze { apps: app() });
    assert_eq!(frozen, CgroupAnswer::Done);
    let mut stdin = streams.stdin.take().unwrap();
    stdin.write_all(b"typed\n").unwrap();
    let counted = ask(&mut machine, CgroupRequest::Count { apps: app() });
    let CgroupAnswer::Counted { apps } = counted else {
        panic!("{counted:?}");
    };
    assert_eq!(apps.len(), 1);
    let thawed = ask(&mut machine, CgroupRequest::Thaw { apps: app() });
    assert_eq!(thawed, CgroupAnswer::Done);
    machine.read(&mut streams.stdout, Some("typed"));
    // Nothing stays stopped if something can't be.
    let strangers = vec!["app".parse().unwrap(), "stranger".parse().unwrap()];
    let failed = ask(&mut machine, CgroupRequest::Freeze { apps: strangers });
    assert!(matches!(failed, CgroupAnswer::Failed { .. }), "{failed:?}");
    stdin.write_all(b"again\n").unwrap();
    machine.read(&mut streams.stdout, Some("again"));
    drop(stdin);
    assert_eq!(machine.expect_end(), 0);
}
