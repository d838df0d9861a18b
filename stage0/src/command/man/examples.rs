//! Examples of manual pages.

/// What an example shows, and the lines to type.
pub(super) type Example = (&'static str, &'static [&'static str]);

/// The examples of a page.
pub(super) fn of(page: &str) -> &'static [Example] {
    EXAMPLES
        .iter()
        .find(|(name, _)| *name == page)
        .map_or(&[], |(_, examples)| examples)
}

/// The examples of each page that has some.
pub(super) const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "fairing",
        &[(
            "Make a key, sign an image, trust the key for a prefix of names, and run the image:",
            &[
                "fairing trust keygen team",
                "fairing image sign --key team.key registry.example.com/team/app:1.0",
                "fairing trust add --prefix registry.example.com/team team.pub",
                "fairing run registry.example.com/team/app:1.0",
            ],
        )],
    ),
    (
        "fairing-doctor",
        &[(
            "Only what pods would lack here, for a script:",
            &["fairing doctor --quiet --format '{{.Severity}} {{.Subject}}'"],
        )],
    ),
    (
        "fairing-run",
        &[
            (
                "Run a program of an image, remove the pod at its end, and exit with the program's code:",
                &["fairing run --rm registry.example.com/team/app:1.0 --exec /bin/ls -- -l /"],
            ),
            (
                "In the background, with a port of the host:",
                &[
                    "fairing run --detach --name web --port 8080:80 registry.example.com/team/app:1.0",
                ],
            ),
            (
                "A pod of two apps, which reach each other at 127.0.0.1:",
                &[
                    "fairing run registry.example.com/team/app:1.0 --app-name server --memory 64m \\",
                    "    --- registry.example.com/team/proxy:1.0 --app-name proxy",
                ],
            ),
        ],
    ),
    (
        "fairing-units-check",
        &[(
            "Files that are to become units, before they are installed:",
            &["fairing units check web.container pages.volume"],
        )],
    ),
    (
        "fairing-units-show",
        &[(
            "What systemd is given of a file:",
            &["fairing units show web.service"],
        )],
    ),
    (
        "fairing-play",
        &[
            (
                "Run the pod of a file in the foreground:",
                &["fairing play web.yaml"],
            ),
            (
                "Start all pods of a file in the place of those of the same names:",
                &["fairing play --detach --replace web.yaml"],
            ),
            (
                "See what a file would start:",
                &["fairing play --dry-run web.yaml"],
            ),
        ],
    ),
    (
        "fairing-down",
        &[(
            "End the pods of a file, and remove the volumes of their claims:",
            &["fairing down --force web.yaml"],
        )],
    ),
    (
        "fairing-generate-kube",
        &[("Write a pod as YAML:", &["fairing generate kube web"])],
    ),
    (
        "fairing-prepare",
        &[(
            "Prepare a pod now, and start it later:",
            &[
                "fairing prepare --name batch registry.example.com/team/app:1.0",
                "fairing run-prepared batch",
            ],
        )],
    ),
    (
        "fairing-enter",
        &[(
            "A shell in an app, and one command:",
            &[
                "fairing enter web -- /bin/sh",
                "fairing enter web --app server -- ps",
            ],
        )],
    ),
    (
        "fairing-cp",
        &[(
            "Out of an app, into one of several, and from a pod that has ended:",
            &[
                "fairing cp web:/etc/nginx ./nginx",
                "fairing cp ./index.html web/server:/www/",
                "fairing cp batch:/var/results/. results",
            ],
        )],
    ),
    (
        "fairing-commit",
        &[(
            "Keep what an app has changed as an image, signed:",
            &[
                "fairing commit web registry.example.com/team/app:2.0 --sign-by team.key \\",
                "    --change 'CMD [\"/bin/server\"]' --message 'tuned'",
            ],
        )],
    ),
    (
        "fairing-logs",
        &[(
            "The last ten lines, and what follows until the pod ends:",
            &["fairing logs --follow --tail 10 web"],
        )],
    ),
    (
        "fairing-gc",
        &[(
            "Remove all ended pods now:",
            &["fairing gc --grace-period=0s"],
        )],
    ),
    (
        "fairing-image-copy",
        &[(
            "From a registry to a file, with all platforms and signatures:",
            &["fairing image copy registry.example.com/team/app:1.0 oci-archive:app.tar"],
        )],
    ),
    (
        "fairing-image-import",
        &[(
            "A directory becomes an image:",
            &[
                "fairing image import rootfs:./root --name registry.example.com/team/base:1 \\",
                "    --cmd '[\"/bin/sh\"]' --env LANG=C.UTF-8",
            ],
        )],
    ),
    (
        "fairing-update",
        &[(
            "More memory, and half a processor, for an app that runs; and a limit of all apps of its pod:",
            &[
                "fairing update web --memory 128m --cpus .5",
                "fairing update web --pod-memory 256m",
            ],
        )],
    ),
    (
        "fairing-auto-update",
        &[(
            "What would be updated; then one service, and one whose newer image failed before once more:",
            &[
                "fairing auto-update --dry-run",
                "fairing auto-update web.service",
                "fairing auto-update --retry db",
            ],
        )],
    ),
    (
        "fairing-stats",
        &[(
            "What all running pods use, once, and of one pod for a program:",
            &[
                "fairing stats --no-stream",
                "fairing stats --no-stream --format json web",
            ],
        )],
    ),
    (
        "fairing-network-create",
        &[(
            "A network, a pod in it, and its end:",
            &[
                "fairing network create lan --subnet 10.9.0.0/24",
                "fairing run --rm --net=lan registry.example.com/team/app:1.0",
                "fairing network rm lan",
            ],
        )],
    ),
    (
        "fairing-volume-create",
        &[(
            "A volume, a pod that keeps its data there, and a copy of it:",
            &[
                "fairing volume create data --label for=shop",
                "fairing run --detach --name db -v data:/var/lib/data registry.example.com/team/app:1.0",
                "fairing volume export data --output data.tar",
            ],
        )],
    ),
    (
        "fairing-trust-add",
        &[(
            "Trust a key for all images of a team, until the end of the year:",
            &[
                "fairing trust add --prefix registry.example.com/team --not-after 2026-12-31T23:59:59Z team.pub",
            ],
        )],
    ),
    (
        "fairing-trust-allow",
        &[
            (
                "Pin the digest that an image has today, and take that back:",
                &[
                    "fairing trust allow docker.io/library/alpine",
                    "fairing trust rm --prefix docker.io/library/alpine",
                ],
            ),
            (
                "Let every image of a prefix run, whoever made it:",
                &["fairing trust allow --unsigned registry.lan/scratch"],
            ),
        ],
    ),
    (
        "fairing-trust-explain",
        &[(
            "Which rule decides, and which signatures count:",
            &["fairing trust explain registry.example.com/team/app:1.0"],
        )],
    ),
];
