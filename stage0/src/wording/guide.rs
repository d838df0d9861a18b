//! What who types the bare name of the program is told.

/// The way from nothing to a pod that runs, on one screen.
pub(crate) const GUIDE: &str = "\
fairing runs signed OCI images as pods, without a daemon.

Run an image, with a command or with its own:
  fairing run --rm -it docker.io/library/alpine sh
  fairing run -d --name web -p 8080:80 docker.io/library/nginx

Look after pods:
  fairing list                    which there are
  fairing logs web                what the apps of one have written
  fairing enter web               a shell in one
  fairing stop web                ends one
  fairing rm web                  removes it

An image runs only if a rule lets it:
  fairing trust allow IMAGE       this one, as it is today
  fairing trust explain IMAGE     which rule decides

`fairing --help` lists all commands, `fairing COMMAND --help` their flags.
";

#[cfg(test)]
mod tests {
    use super::GUIDE;

    #[test]
    fn each_line_of_the_guide_can_be_typed_and_it_fits_a_screen() {
        assert!(GUIDE.lines().count() <= 24);
        assert!(GUIDE.lines().all(|line| line.len() <= 80));
        let lines = GUIDE.lines().filter_map(|line| line.strip_prefix("  "));
        for line in lines {
            let line = line.split("   ").next().unwrap();
            let words = line.split_whitespace().map(Into::into).collect();
            let parsed = crate::command::parsed(words);
            parsed.unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}
