//! The Dockerfile. Building it needs Docker, so that only what it names is looked at; that the program
//! runs in an empty root is tested with the tarball.

/// Its lines, with those that are continued made one.
fn lines() -> Vec<String> {
    let text = std::fs::read_to_string(crate::paths::root().join("Dockerfile")).unwrap();
    let joined = text.replace("\\\n", " ");
    let is_instruction = |line: &&str| !line.is_empty() && !line.starts_with('#');
    joined.lines().filter(is_instruction).map(str::to_owned).collect()
}

fn find(lines: &[String], start: &str) -> String {
    let found = lines.iter().find(|line| line.starts_with(start));
    found.unwrap_or_else(|| panic!("the Dockerfile has no {start}")).clone()
}

#[test]
fn what_is_copied_into_the_image_was_made_before() {
    let lines = lines();
    let build = find(&lines, "RUN ");
    for line in lines.iter().filter(|line| line.starts_with("COPY --from=build")) {
        let from = line.split(' ').find(|word| word.starts_with('/')).unwrap();
        // The certificates are in the image that the build begins with.
        assert!(build.contains(from) || from.starts_with("/etc/ssl/certs/"), "{line}");
    }
}

#[test]
fn the_image_is_empty_runs_without_root_and_asks_the_program_for_its_health() {
    let lines = lines();
    assert_eq!(lines.iter().rfind(|line| line.starts_with("FROM ")).unwrap(), "FROM scratch");
    assert!(find(&lines, "RUN ").contains("+crt-static"));
    let user = find(&lines, "USER ");
    assert!(!user.contains("root") && user != "USER 0", "{user}");
    let program = "/usr/local/bin/octopoid";
    assert!(find(&lines, "COPY --from=build /octopoid").ends_with(program));
    let health = format!("CMD [\"{program}\", \"health\"]");
    assert!(find(&lines, "HEALTHCHECK ").ends_with(&health));
    assert_eq!(find(&lines, "ENTRYPOINT "), format!("ENTRYPOINT [\"{program}\"]"));
}
