/** A superuser is exempt from limits on processes: become nobody, if nobody can still read the standard library. */
export const dropPrivileges = `
import os

def drop_privileges():
    nobody = 65534
    if os.geteuid() != 0:
        return
    try:
        os.setgroups([])
        os.setegid(nobody)
        os.seteuid(nobody)
    except (OSError, ValueError):
        return
    readable = True
    try:
        os.close(os.open(os.__file__, os.O_RDONLY))
    except OSError:
        readable = False
    os.seteuid(0)
    os.setegid(0)
    if readable:
        os.setgid(nobody)
        os.setuid(nobody)
`

/**
 * The program that runs inside the child process before, around and after the code under test: `python3 -I -S -B -c launcher
 * cpuSeconds memoryBytes`. It reads a nonce (one line) and the program from standard input, gives up what privileges it
 * has, lowers its own limits for good, installs an audit hook that refuses files, sockets, processes and threads, and executes
 * the program. Only if that ends without an exception is the nonce written to file descriptor 3: a program that exits early
 * (sys.exit(0), os._exit(0)) has not passed. Otherwise descriptor 3 receives one line that names the exception.
 */
export const launcher = String.raw`
${dropPrivileges}
import sys

def limit(cpu_seconds, memory_bytes):
    import resource
    def lower(name, value):
        kind = getattr(resource, name, None)
        if kind is None:
            return
        try:
            hard = resource.getrlimit(kind)[1]
            if hard != resource.RLIM_INFINITY:
                value = min(value, hard)
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            pass  # not every system has every limit
    lower('RLIMIT_CPU', cpu_seconds)
    lower('RLIMIT_AS', memory_bytes)
    lower('RLIMIT_DATA', memory_bytes)
    lower('RLIMIT_FSIZE', 0)
    lower('RLIMIT_NPROC', 0)
    lower('RLIMIT_NOFILE', 32)
    lower('RLIMIT_CORE', 0)

def refuse():
    library = os.path.dirname(os.__file__) + os.sep
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    families = frozenset((
        'os', 'socket', 'subprocess', 'shutil', 'tempfile', 'ctypes', 'http', 'urllib', 'ftplib', 'smtplib', 'poplib', 'imaplib',
        'nntplib', 'telnetlib', 'webbrowser', 'sqlite3', 'pty', 'fcntl', 'syslog', 'resource', 'ensurepip', '_thread', 'gc',
    ))
    refused = frozenset(('sys.addaudithook', 'sys.settrace', 'sys.setprofile', 'signal.pthread_kill'))
    allowed = frozenset(('os.listdir', 'os.scandir', 'os.putenv', 'os.unsetenv'))  # importing a module lists its folder
    modules = frozenset(('ctypes', '_ctypes', 'cffi', '_posixsubprocess', '_socket', '_testcapi', '_interpreters', '_xxsubinterpreters'))
    normpath = os.path.normpath
    fsdecode = os.fsdecode

    def hook(event, args):
        if event == 'open':
            path, mode, flags = args
            reads = not (isinstance(flags, int) and flags & writing) and not (isinstance(mode, str) and set(mode) & set('wax+'))
            if not (reads and isinstance(path, (str, bytes)) and normpath(fsdecode(path)).startswith(library)):
                raise PermissionError('the sandbox refuses to open files')
        elif event == 'import':
            if args[0] in modules:
                raise ImportError('the sandbox refuses to import ' + args[0])
        elif event in refused or (event.partition('.')[0] in families and event not in allowed):
            raise PermissionError('the sandbox refuses ' + event)

    sys.addaudithook(hook)

def main():
    cpu_seconds, memory_bytes = int(sys.argv[1]), int(sys.argv[2])
    nonce, _, program = sys.stdin.buffer.read().partition(b'\n')
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    sys.argv = ['program.py']
    drop_privileges()
    limit(cpu_seconds, memory_bytes)
    refuse()
    try:
        exec(compile(program, 'program.py', 'exec', dont_inherit=True), {'__name__': 'program'})
        outcome = nonce
    except BaseException as error:
        try:
            outcome = (type(error).__name__ + ': ' + str(error)[:200]).encode('utf-8', 'replace')
        except BaseException:
            outcome = type(error).__name__.encode('utf-8', 'replace')
    os.write(3, outcome)
    os._exit(0)

main()
`
