//! The managers of services and the runtimes of containers that are known.

use super::open_enum::open_enum;

open_enum! {
    /// The manager of a [`crate::Service`].
    ///
    /// ```
    /// use allears::ServiceManager;
    ///
    /// assert_eq!(ServiceManager::Systemd.to_string(), "systemd");
    /// assert_eq!("launchd".parse(), Ok(ServiceManager::Launchd));
    /// ```
    ServiceManager {
        /// daemontools.
        Daemontools = "daemontools",
        /// launchd of macOS.
        Launchd = "launchd",
        /// OpenRC.
        Openrc = "openrc",
        /// PM2.
        Pm2 = "pm2",
        /// runit.
        Runit = "runit",
        /// s6.
        S6 = "s6",
        /// Supervisor.
        Supervisord = "supervisord",
        /// systemd.
        Systemd = "systemd",
        /// The service control manager of Windows.
        Windows = "windows",
    }
}

open_enum! {
    /// Whether a [`crate::Service`] belongs to the system or to a user.
    ///
    /// ```
    /// use allears::ServiceScope;
    ///
    /// assert_eq!("user".parse(), Ok(ServiceScope::User));
    /// ```
    ServiceScope {
        /// It belongs to the system's own manager.
        System = "system",
        /// It belongs to the manager of a user.
        User = "user",
    }
}

open_enum! {
    /// The runtime of a [`crate::Container`].
    ///
    /// ```
    /// use allears::ContainerRuntime;
    ///
    /// assert_eq!(ContainerRuntime::CriO.to_string(), "cri-o");
    /// assert_eq!("podman".parse(), Ok(ContainerRuntime::Podman));
    /// ```
    ContainerRuntime {
        /// BuildKit.
        Buildkit = "buildkit",
        /// containerd, if its client is unknown.
        Containerd = "containerd",
        /// CRI-O.
        CriO = "cri-o",
        /// Docker.
        Docker = "docker",
        /// A pod of Kubernetes, if the runtime of its containers is unknown.
        Kubernetes = "kubernetes",
        /// LXC, LXD and Incus.
        Lxc = "lxc",
        /// systemd-nspawn.
        Nspawn = "systemd-nspawn",
        /// Podman.
        Podman = "podman",
    }
}
