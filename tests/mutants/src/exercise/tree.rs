// SPDX-License-Identifier: GPL-2.0-only

//! The directory of an exercise: a copy of the module's source, and a makefile.

use super::{Exercise, student_progress::StudentProgress};
use crate::source;
use anyhow::{Context as _, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The directory of all exercises, in the project.
const ALL: &str = "build/exercise";

/// Returns the directory of an exercise, relative to the project.
pub(super) fn name(exercise: &Exercise) -> PathBuf {
    Path::new(ALL).join(&exercise.id)
}

/// Returns the directory of an exercise that was begun.
pub(super) fn existing(root: &Path, exercise: &Exercise) -> Result<PathBuf> {
    let directory = root.join(name(exercise));
    ensure!(
        directory.exists(),
        "{} does not exist\nhint: make exercise N={}",
        name(exercise).display(),
        exercise.id
    );
    Ok(directory)
}

/// Creates the directory, and prints how to continue.
///
/// # Errors
///
/// It exists already: it may have changes of the student.
pub(super) fn begin(root: &Path, exercise: &Exercise) -> Result<ExitCode> {
    let name = name(exercise);
    let directory = root.join(&name);
    let name = name.display();
    ensure!(
        !directory.exists(),
        "{name} exists\nhint: rm -r {name} discards it, with all changes"
    );
    write(root, exercise, &directory)?;
    let Exercise { id, task, .. } = exercise;
    println!("{name}: {task}");
    for (command, purpose) in [
        (
            format!("make -C {name}"),
            "build it, and run suites until one fails",
        ),
        (format!("make hint N={id}"), "print one hint more each time"),
        (
            format!("make solution N={id}"),
            "print the change, and end the exercise",
        ),
    ] {
        println!("  {command:<32} {purpose}");
    }
    Ok(ExitCode::SUCCESS)
}

fn write(root: &Path, exercise: &Exercise, directory: &Path) -> Result<()> {
    for (file, content) in source::files(root)? {
        let path = directory.join(&file);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let content = match file == exercise.file {
            true => exercise.given.as_bytes(),
            false => &content,
        };
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    fs::write(directory.join("Makefile"), makefile(exercise))?;
    StudentProgress::default().write(directory)
}

fn makefile(exercise: &Exercise) -> String {
    let Exercise { id, task, .. } = exercise;
    format!(
        "\
# SPDX-License-Identifier: GPL-2.0-only
# Exercise {id}: {task}.
#   make                       build the module, and run suites until one fails
#   make SUITES=\"kinds errno\"  run these suites
#   make SUITES=kinds TEST=net run matching tests of a suite
#   make hint                  print one hint more each time
#   make solution              print the change, and end the exercise

SUITES ?=

.PHONY: test hint solution
test:
\t@$(MAKE) --no-print-directory -C ../../.. exercise-test N={id} SUITES=\"$(SUITES)\"
hint solution:
\t@$(MAKE) --no-print-directory -C ../../.. $@ N={id}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exercise::Hint;

    /// Returns an exercise in the file `Kbuild` of a project.
    fn exercise() -> Exercise {
        Exercise {
            id: "17".to_owned(),
            task: "find it".to_owned(),
            file: "Kbuild".into(),
            original: "right\n".to_owned(),
            given: "wrong\n".to_owned(),
            suites: vec!["kinds".to_owned()],
            hints: vec![Hint::Text("secret".to_owned())],
            solution: "secret".to_owned(),
        }
    }

    /// A project, which is removed when this is dropped.
    struct Project(PathBuf);

    impl Project {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            fs::create_dir_all(root.join("src/sys")).unwrap();
            fs::write(root.join("Kbuild"), "right\n").unwrap();
            fs::write(root.join("src/sys/a.rs"), "a\n").unwrap();
            Self(root)
        }
    }

    impl Drop for Project {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_tree_differs_in_one_file() {
        let project = Project::new("nsproxy-exercise-tree");
        let exercise = exercise();
        assert!(existing(&project.0, &exercise).is_err());
        begin(&project.0, &exercise).unwrap();
        let directory = existing(&project.0, &exercise).unwrap();
        let read = |file: &str| fs::read_to_string(directory.join(file)).unwrap();
        assert_eq!(read("Kbuild"), "wrong\n");
        assert_eq!(read("src/sys/a.rs"), "a\n");
        assert!(read("Makefile").contains("exercise-test N=17"));
        for file in ["Makefile", ".progress.json"] {
            assert!(!read(file).contains("secret"), "{file}");
        }
        assert_eq!(
            StudentProgress::read(&directory).unwrap(),
            StudentProgress::default()
        );
    }

    #[test]
    fn changes_of_a_student_are_kept() {
        let project = Project::new("nsproxy-exercise-kept");
        let exercise = exercise();
        begin(&project.0, &exercise).unwrap();
        let file = project.0.join("build/exercise/17/src/sys/a.rs");
        fs::write(&file, "mine\n").unwrap();
        let error = begin(&project.0, &exercise).unwrap_err().to_string();
        assert!(error.contains("hint: rm -r build/exercise/17"), "{error}");
        assert_eq!(fs::read_to_string(file).unwrap(), "mine\n");
    }
}
