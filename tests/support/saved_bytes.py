"""What torch itself keeps for the backward pass, in bytes."""

import torch


def really_saved(module, *inputs):
    """Bytes of the storages that the operators of a real run save; parameters and buffers apart."""
    kept = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    storages = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = module(*inputs)
    saved = sum(one.nbytes() for address, one in storages.items() if address not in kept)
    del output
    return saved
