"""`python -m antiphon.server.workers ROLE`: starts a process without forking."""

import logging
import os
import socket
import sys

from .job import Job
from .processes import FD, die_with
from .zygote import ROLES, begin, main, prepare, work


def run(role: str) -> None:
    """Run a role: "zygote", "worker" or "models".

    The job comes from the environment, the socket to the server from the parent process.
    """
    job = Job.given()
    begin(role)
    die_with(job.parent)
    logging.basicConfig(format=f"%(levelname)s %(name)s[{os.getpid()}]: %(message)s")
    logging.getLogger("antiphon").setLevel(job.level)
    end = socket.socket(fileno=FD)
    if role == "zygote":
        main(end, job)
        return
    agents = job.load()
    if role == "worker":
        prepare(agents, job)
    work(next(key for key, name in ROLES.items() if name == role), end, job, agents)


if __name__ == "__main__":
    run(sys.argv[1])
    os._exit(0)  # without waiting for the models' threads
