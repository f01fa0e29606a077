//! The fields of `GET /v1/job/:id` with the names of tasks.

use serde::Deserialize;

/// A job's tasks.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobTasks {
    task_groups: Option<Vec<Option<GroupTasks>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct GroupTasks {
    name: Option<String>,
    tasks: Option<Vec<Option<TaskName>>>,
}

/// Name and lifecycle of a task.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskName {
    /// Its name.
    pub name: Option<String>,
    lifecycle: Option<serde::de::IgnoredAny>,
}

impl JobTasks {
    /// Returns the tasks of a group, in the order of the job.
    pub fn of_group(&self, group: &str) -> impl Iterator<Item = &TaskName> {
        let groups = self.task_groups.iter().flatten().flatten();
        let group = groups.filter(move |known| known.name.as_deref() == Some(group));
        group.flat_map(|group| group.tasks.iter().flatten().flatten())
    }
}

impl TaskName {
    /// Returns whether it is a main task, without a lifecycle.
    pub fn is_main(&self) -> bool {
        self.lifecycle.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_without_a_lifecycle_is_a_main_one() {
        let job: JobTasks = serde_json::from_str(
            r#"{"TaskGroups":[null,{"Name":"other","Tasks":null},{"Name":"build","Tasks":[null,
                {"Name":"prep","Lifecycle":{"Hook":"prestart"}},{"Name":"agent","Lifecycle":null},{"Name":null}]}]}"#,
        )
        .unwrap();
        let tasks: Vec<_> =
            job.of_group("build").map(|task| (task.name.as_deref(), task.is_main())).collect();
        assert_eq!(tasks, [(Some("prep"), false), (Some("agent"), true), (None, true)]);
        assert_eq!(job.of_group("other").count(), 0);
    }
}
