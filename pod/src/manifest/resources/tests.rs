use super::*;

#[test]
fn what_a_change_leaves_out_is_taken_off_and_nothing_else_is_touched() {
    let before = Resources {
        memory: Memory {
            limit: Some(Limit::At(4096)),
            ..Memory::default()
        },
        cpu: Cpu {
            shares: Some(2),
            ..Cpu::default()
        },
        ..Resources::default()
    };
    let next = Resources {
        pids: Pids {
            limit: Some(Limit::At(7)),
        },
        ..Resources::default()
    };
    let asked = before.changed_to(&next, Limit::At(9));
    assert_eq!(asked.memory.limit, Some(Limit::Unlimited));
    assert_eq!(asked.cpu.shares, Some(1024));
    assert_eq!(asked.pids.limit, Some(Limit::At(7)));
    assert_eq!((asked.cpu.quota, asked.cpu.period), (None, None));
    assert_eq!(Resources::default().changed_to(&next, Limit::At(9)), next);
    let lifted = next.changed_to(&before, Limit::At(9));
    assert_eq!(lifted.pids.limit, Some(Limit::At(9)));
}

fn every_limit(number: u64) -> Resources {
    let limit = Some(Limit::At(number));
    Resources {
        memory: Memory {
            limit,
            reservation: limit,
            swap: limit,
            swappiness: None,
        },
        cpu: Cpu {
            shares: Some(number),
            quota: limit,
            period: Some(number),
            cpus: "0".into(),
            mems: "0".into(),
        },
        pids: Pids { limit },
        ..Resources::default()
    }
}

#[test]
fn every_limit_can_be_taken_off_and_be_set_anew() {
    let (none, before, after) = (Resources::default(), every_limit(7), every_limit(8));
    assert!(none.is_unlimited() && !before.is_unlimited());
    assert_eq!(before.changed_to(&after, Limit::At(9)), after);
    assert_eq!(none.changed_to(&after, Limit::At(9)), after);
    assert_eq!(none.changed_to(&none, Limit::At(9)), none);
    let unlimited = Some(Limit::Unlimited);
    let taken_off = Resources {
        memory: Memory {
            limit: unlimited,
            reservation: unlimited,
            swap: unlimited,
            swappiness: None,
        },
        cpu: Cpu {
            shares: Some(1024),
            quota: unlimited,
            period: Some(100_000),
            ..Cpu::default()
        },
        pids: Pids {
            limit: Some(Limit::At(9)),
        },
        ..Resources::default()
    };
    assert_eq!(before.changed_to(&none, Limit::At(9)), taken_off);
}

fn memory(limit: u64, swap: Option<u64>, reservation: Option<u64>) -> Resources {
    Resources {
        memory: Memory {
            limit: Some(Limit::At(limit)),
            swap: swap.map(Limit::At),
            reservation: reservation.map(Limit::At),
            swappiness: None,
        },
        ..Resources::default()
    }
}

#[test]
fn what_a_change_does_not_name_stays_and_no_swap_stays_no_swap() {
    let before = memory(64, Some(64), Some(32));
    let given = Resources {
        memory: Memory {
            limit: Some(Limit::At(128)),
            ..Memory::default()
        },
        ..Resources::default()
    };
    assert_eq!(
        before.with(&given).unwrap(),
        memory(128, Some(128), Some(32))
    );
    let swapping = memory(64, Some(256), None);
    assert_eq!(swapping.with(&given).unwrap(), memory(128, Some(256), None));
    assert_eq!(before.with(&Resources::default()).unwrap(), before);
    let throttled = |rate| Resources {
        block_io: BlockIo {
            throttle_read_bps_device: vec![ThrottleDevice {
                major: 8,
                minor: 0,
                rate,
            }],
            ..BlockIo::default()
        },
        ..Resources::default()
    };
    assert_eq!(throttled(1).with(&throttled(2)).unwrap(), throttled(2));
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let (small, large) = (memory(64, None, None), memory(512, None, None));
    let refused = memory(64, Some(256), None).with(&large).unwrap_err();
    assert_eq!(
        refused,
        Contradiction::SwapBelowMemory {
            memory: 512,
            swap: 256
        }
    );
    let refused = memory(128, None, Some(100)).with(&small).unwrap_err();
    assert_eq!(
        refused,
        Contradiction::ReservationAboveMemory {
            memory: 64,
            reservation: 100
        }
    );
    let mut alone = Resources::default();
    alone.memory.swap = Some(Limit::At(64));
    assert_eq!(alone.check().unwrap_err(), Contradiction::SwapAlone);
    alone.memory.swap = Some(Limit::Unlimited);
    assert_eq!(alone.check(), Ok(()));
}

#[test]
fn an_app_runs_where_its_pod_may() {
    let on = |cpus: &str, mems: &str| {
        let mut resources = Resources::default();
        (resources.cpu.cpus, resources.cpu.mems) = (cpus.into(), mems.into());
        resources
    };
    for (app, pod) in [
        (on("", ""), on("0", "0")),
        (on("1", "0"), on("", "")),
        (on("1-2", "0"), on("0,1-3", "0-1")),
    ] {
        assert_eq!(app.check_within(&pod), Ok(()));
    }
    let refused = |app: Resources, pod| app.check_within(&pod).unwrap_err().to_string();
    assert_eq!(
        refused(on("0-2", ""), on("0-1", "")),
        "processor 2 is not among those of the pod, which are 0-1"
    );
    assert_eq!(
        refused(on("", "1"), on("0-1", "0")),
        "memory node 1 is not among those of the pod, which are 0"
    );
}

#[test]
fn an_app_has_no_more_processor_time_than_its_pod() {
    let time = |quota, period| {
        let mut resources = Resources::default();
        resources.cpu.quota = Some(quota);
        resources.cpu.period = period;
        resources
    };
    let half = time(Limit::At(50_000), None);
    for app in [
        half.clone(),
        time(Limit::At(10_000), Some(20_000)),
        time(Limit::Unlimited, None),
        Resources::default(),
    ] {
        assert_eq!(app.check_within(&half), Ok(()));
        assert_eq!(app.check_within(&Resources::default()), Ok(()));
    }
    let more = time(Limit::At(30_000), Some(20_000));
    assert_eq!(
        more.check_within(&half).unwrap_err().to_string(),
        "the time of 1.5 processors is more than the pod has, which is that of 0.5"
    );
}
