//! `check-config`: validates a web configuration.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use super::Error;
use crate::config::CheckConfigArgs;
use crate::web::AccessFile;

/// Loads a file like the exporter does, including certificates, and prints its settings.
pub(super) fn run(args: &CheckConfigArgs) -> Result<ExitCode, Error> {
    if let Some(user) = &args.as_user {
        return run_as(user, args);
    }
    let access = AccessFile::open(args.file.clone())?;
    writeln!(std::io::stdout(), "{} is valid: {access}", args.file.display()).map_err(Error::Output)?;
    Ok(ExitCode::SUCCESS)
}

/// Does the same in a process of another user, without supplementary groups.
fn run_as(user: &str, args: &CheckConfigArgs) -> Result<ExitCode, Error> {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let (uid, gid) = ids(user, &passwd).ok_or_else(|| Error::NoUser(user.to_owned()))?;
    let failed = |error| Error::OtherUser(uid, error);
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.arg("check-config").arg(&args.file).uid(uid).gid(gid);
    let status = command.status().map_err(failed)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Returns the IDs of a user and its group. A numeric user that is not in the file has a group of the same
/// number.
fn ids(user: &str, passwd: &str) -> Option<(u32, u32)> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let (name, uid, gid) = (fields.next()?, fields.nth(1)?, fields.next()?);
        (name == user || uid == user).then(|| Some((uid.parse().ok()?, gid.parse().ok()?)))?
    };
    passwd.lines().find_map(entry).or_else(|| user.parse().ok().map(|id| (id, id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_names_or_numbers() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65533::/:/usr/sbin/nologin\nbroken\n";
        assert_eq!(ids("nobody", passwd), Some((65534, 65533)));
        assert_eq!(ids("65534", passwd), Some((65534, 65533)));
        assert_eq!(ids("1000", passwd), Some((1000, 1000)));
        assert_eq!((ids("nomad", passwd), ids("", passwd), ids("-1", passwd)), (None, None, None));
    }
}
