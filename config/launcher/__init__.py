"""What `make run` and `make install` start: everything from nothing, in the foreground.

env_file     env.env from the example, with a secret key of its own
bootstrap    migrations, the admin user and its API token
dependencies what answers at REDIS_URL and AMOCRM_BASE_URL, and what is started in its place
commands     the command lines of everything that runs
supervisor   starts them, carries their output, ends them all
pdeathsig    the small program that ties each to its starter's life
console      where their lines go
banner       what is printed when all is up
"""
