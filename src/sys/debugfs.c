// SPDX-License-Identifier: GPL-2.0-only
/*
 * The directory nsproxy_rs of debugfs. The operations of its files belong to
 * this module, so an open file pins it. Those of the kernel crate's debugfs
 * have no owner: a module can be unloaded while such a file is open, and closing
 * the file then reads freed memory.
 */

#include <linux/debugfs.h>
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/static_call.h>

#include "shim.h"

static int served_show(struct seq_file *m, void *unused)
{
	void (*show)(struct seq_file *m) = m->private;

	show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(served);

/* Prints addresses if the opener of the file may see them in /proc/kallsyms. */
static int symbols_show(struct seq_file *m, void *unused)
{
	bool show_value = static_call(nsproxy_rs_kallsyms_show_value)(m->file->f_cred);
	const struct nsproxy_rs_symbol *sym;

	for (sym = nsproxy_rs_symbols; sym < nsproxy_rs_symbols + nsproxy_rs_nr_symbols; sym++)
		seq_printf(m, "%016lx %s CONFIG_%s%s\n", show_value ? sym->address : 0,
			   sym->name, sym->option, sym->enabled ? "" : " (off)");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(symbols);

/**
 * nsproxy_rs_debugfs_create - create the directory and its files
 * @served: prints the file "served"
 *
 * The symbols must be resolved.
 *
 * Return: the directory, or the error of debugfs_create_dir(), for
 * nsproxy_rs_debugfs_remove().
 */
struct dentry *nsproxy_rs_debugfs_create(void (*served)(struct seq_file *m))
{
	struct dentry *dir = debugfs_create_dir("nsproxy_rs", NULL);

	debugfs_create_file("served", 0400, dir, served, &served_fops);
	debugfs_create_file("symbols", 0400, dir, NULL, &symbols_fops);
	return dir;
}

/* debugfs_remove() is an inline function in a kernel without debugfs. */
void nsproxy_rs_debugfs_remove(struct dentry *dir)
{
	debugfs_remove(dir);
}
