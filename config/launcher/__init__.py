"""What `make run` and `make install` start: everything from nothing, in the foreground.

env_file     env.env from the example, with a secret key of its own
preparation  migrations, the admin user and its API token
neighbours   what answers at REDIS_URL and AMOCRM_BASE_URL, and what is started in its place
processes    the command lines of everything that runs
supervisor   starts them, carries their output, ends them all
tether       the small program that ties each to its starter's life
greeting     what is printed when all is up
"""
