"""Which nats-servers a mesh has, as data: a site's own, the routers between them, their users, what each may say.

plan         names and addresses (mesh.json)        permissions  role → subjects, deny by default     (both pure)
rendering    plan and public keys → one configuration per server                                     (pure)
keys         nkeys: made here, kept in files that only their owner reads
manifests    a site or a router → the objects that run it in a cluster      objects   their parts     (both pure)
certificates TLS: an authority, a certificate a server
folder       DIR: written, compared, said what has to be reloaded
"""
