from roles.common.inventory import pyinfra_inventory

locals().update(pyinfra_inventory(__file__))
