// SPDX-License-Identifier: GPL-2.0-only

//! Files that the commands need besides the programs.

use anyhow::Result;
use serde_json::{Value, json};
use std::fs;

/// Writes all files, in `/run`.
pub(crate) fn write() -> Result<()> {
    let kinds = ["pid", "network", "ipc", "uts", "cgroup", "mount"];
    let new: Vec<_> = kinds.iter().map(|kind| json!({ "type": kind })).collect();

    bundle("box", &json!({ "namespaces": new }))?;

    let mut namespaces = new.clone();
    namespaces.push(json!({ "type": "user" }));
    let mappings = json!([{ "containerID": 0, "hostID": 1000, "size": 10 }]);
    bundle(
        "userbox",
        &json!({ "namespaces": namespaces, "uidMappings": mappings, "gidMappings": mappings }),
    )?;

    let mut namespaces = new;
    namespaces.retain(|namespace| namespace["type"] != "network");
    namespaces.push(json!({ "type": "network", "path": "/run/ns" }));
    bundle("netbox", &json!({ "namespaces": namespaces }))?;

    let network = json!({ "cniVersion": "0.4.0", "name": "lo", "type": "loopback" });
    fs::write("/run/cni.json", network.to_string())?;
    Ok(())
}

/// Writes an OCI bundle: a container in which the guest's programs are mounted.
fn bundle(name: &str, linux: &Value) -> Result<()> {
    let dir = format!("/run/{name}");
    let mut mounts = Vec::new();
    let mut mount = |path: &str, kind: &str, source: &str, options: &[&str]| -> Result<()> {
        // Root of the container has no permission to create it.
        fs::create_dir_all(format!("{dir}/rootfs{path}"))?;
        mounts.push(json!({
            "destination": path, "type": kind, "source": source, "options": options
        }));
        Ok(())
    };
    mount("/proc", "proc", "proc", &[])?;
    mount("/dev", "tmpfs", "tmpfs", &[])?;
    mount("/tmp", "tmpfs", "tmpfs", &[])?;
    for path in ["/bin", "/lib", "/lib64", "/usr"] {
        // arm64 has no /lib64.
        if fs::exists(path)? {
            mount(path, "bind", path, &["rbind", "ro"])?;
        }
    }
    let config = json!({
        "ociVersion": "1.0.0",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": ["sleep", "1000"],
            "env": ["PATH=/usr/bin:/bin"],
            "cwd": "/",
        },
        "root": { "path": "rootfs" },
        "hostname": name,
        "mounts": mounts,
        "linux": linux,
    });
    fs::write(format!("{dir}/config.json"), config.to_string())?;
    Ok(())
}
