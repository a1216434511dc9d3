//! seccomp: system calls that a mail server never makes. They fail with EPERM, so that a library that tries one goes on.
//!
//! A list of what is refused, not of what is allowed: libraries and kernels add harmless calls all the time, and a mail
//! server that dies of a new one loses mail. What is refused is what turns a fault of ours into somebody else's machine.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::{Duty, Held};

/// Refused whatever the arguments.
const REFUSED: &[i64] = &[
    // running programs
    libc::SYS_execve,
    libc::SYS_execveat,
    // other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // other users
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    // other views of the machine
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_mknodat,
    // the kernel itself
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_fanotify_init,
    libc::SYS_syslog,
    libc::SYS_personality,
    // the machine
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

/// Refused to the keeper of keys besides: it has its line to the server and needs no other.
const REFUSED_TO_KEEPER: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_connect,
];

/// The same where only x86 has them.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_mknod,
    libc::SYS_kexec_file_load,
    libc::SYS_modify_ldt,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];

/// On x86-64 the same calls have second numbers (the x32 ABI): all of those are refused.
#[cfg(target_arch = "x86_64")]
const SECOND_NUMBERS: Option<i64> = Some(0x4000_0000);
#[cfg(not(target_arch = "x86_64"))]
const SECOND_NUMBERS: Option<i64> = None;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Refuses them in this thread and those it starts.
pub(super) fn restrict(duty: Duty) -> Held {
    // The C library starts threads with `clone3` and falls back to `clone` when there is none. Only of `clone` can a filter
    // see what is to be made.
    let missing = filter(
        [(libc::SYS_clone3, Vec::new())].into(),
        SeccompAction::Errno(libc::ENOSYS as u32),
    );
    let refused = rules().and_then(|rules| filter(rules, SeccompAction::Errno(libc::EPERM as u32)));
    let both = missing.and_then(|missing| Ok((missing, refused?)));
    let both = both.and_then(|both| {
        if duty == Duty::Keep {
            let sockets = REFUSED_TO_KEEPER.iter().map(|&call| (call, Vec::new())).collect();
            let program = filter(sockets, SeccompAction::Errno(libc::EPERM as u32))?;
            seccompiler::apply_filter(&program).map_err(|error| error.to_string())?;
        }
        Ok(both)
    });
    held(both.and_then(|(missing, refused)| {
        seccompiler::apply_filter(&refused).map_err(|error| error.to_string())?;
        seccompiler::apply_filter(&missing).map_err(|error| error.to_string())
    }))
}

/// Refuses listening in every thread.
pub(super) fn seal() -> Held {
    let listen = [(libc::SYS_listen, Vec::new())].into();
    held(
        filter(listen, SeccompAction::Errno(libc::EPERM as u32)).and_then(|program| {
            seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())
        }),
    )
}

fn held(outcome: Result<(), String>) -> Held {
    match outcome {
        Ok(()) => Held::Fully,
        Err(why) => Held::Not(why),
    }
}

fn filter(rules: Rules, action: SeccompAction) -> Result<BpfProgram, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, action, arch).map_err(|error| error.to_string())?;
    filter
        .try_into()
        .map_err(|error: seccompiler::BackendError| error.to_string())
}

fn rules() -> Result<Rules, String> {
    let mut rules: Rules = REFUSED
        .iter()
        .chain(REFUSED_HERE)
        .map(|&call| (call, Vec::new()))
        .collect();
    let conditional = conditional().map_err(|error| error.to_string())?;
    if let Some(second) = SECOND_NUMBERS {
        let all: Vec<i64> = rules.keys().chain(conditional.keys()).copied().collect();
        rules.extend(all.into_iter().map(|call| (call | second, Vec::new())));
        // Those that x32 numbers apart (`execve` and `ptrace` among them).
        rules.extend((512..=547).map(|call| (call | second, Vec::new())));
    }
    rules.extend(conditional);
    Ok(rules)
}

/// Refused for some arguments.
fn conditional() -> Result<Rules, seccompiler::BackendError> {
    let argument = |index, op, value: i32| {
        SeccompCondition::new(
            index,
            SeccompCmpArgLen::Dword,
            op,
            u64::from(value.cast_unsigned()),
        )
    };
    let bits = |index, mask: i32, value| {
        argument(
            index,
            SeccompCmpOp::MaskedEq(u64::from(mask.cast_unsigned())),
            value,
        )
    };
    let all_of = |conditions: Result<Vec<_>, _>| conditions.and_then(SeccompRule::new);
    let known_families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
    let other_family = known_families
        .into_iter()
        .map(|family| argument(0, SeccompCmpOp::Ne, family));
    let write_and_run = libc::PROT_WRITE | libc::PROT_EXEC;
    Ok([
        // a process that is no thread of ours
        (
            libc::SYS_clone,
            vec![all_of(bits(0, libc::CLONE_THREAD, 0).map(|one| vec![one]))?],
        ),
        (
            libc::SYS_socket,
            vec![
                all_of(other_family.collect())?,
                all_of(bits(1, 0xf, libc::SOCK_RAW).map(|one| vec![one]))?,
            ],
        ),
        // memory that was written and then run
        (
            libc::SYS_mmap,
            vec![all_of(
                bits(2, write_and_run, write_and_run).map(|one| vec![one]),
            )?],
        ),
        (
            libc::SYS_mprotect,
            vec![all_of(
                bits(2, libc::PROT_EXEC, libc::PROT_EXEC).map(|one| vec![one]),
            )?],
        ),
        (
            libc::SYS_pkey_mprotect,
            vec![all_of(
                bits(2, libc::PROT_EXEC, libc::PROT_EXEC).map(|one| vec![one]),
            )?],
        ),
        // typing into a terminal
        (
            libc::SYS_ioctl,
            vec![all_of(
                argument(1, SeccompCmpOp::Eq, 0x5412).map(|one| vec![one]),
            )?],
        ),
    ]
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_2_the_list_of_refused_calls_becomes_a_filter_the_kernel_could_take() {
        let program = filter(rules().unwrap(), SeccompAction::Errno(libc::EPERM as u32)).unwrap();
        assert!((100..4096).contains(&program.len()), "{}", program.len());
    }
}
