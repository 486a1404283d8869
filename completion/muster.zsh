#compdef muster
# zsh completion for muster: commands, verbs, options, their values, and names of hosts and groups out of the inventory,
# of domains and masters on the libvirt connection, or of restore points in the repository, that the line names. What
# goes wrong is silent.

@TABLES@

# Names of hosts, or with --groups of groups; of domains where a connection is named, and no inventory.
_muster_names() {
  if [[ -n $_muster_connection && -z $_muster_sources && -z $MUSTER_INVENTORY ]]; then
    (( $# )) || timeout 1 ${~${(Q)words[1]}} vm list -q --names -c $_muster_connection </dev/null 2>/dev/null
    return
  fi
  timeout 2 ${~${(Q)words[1]}} inventory list -q $_muster_sources "$@" </dev/null 2>/dev/null
}

_muster_host() {
  local -a hosts=(${(f)"$(_muster_names)"})
  local expl
  _wanted hosts expl host compadd -a hosts
}

# The last term of a host pattern.
_muster_pattern() {
  compset -P '*[,:]'
  compset -P '(\\|)[&!^]'
  if compset -P '@'; then
    _files
    return
  fi
  local -a hosts=(${(f)"$(_muster_names)"}) groups=(${(f)"$(_muster_names --groups)"})
  _alternative 'hosts:host:compadd -a hosts' 'groups:group:compadd -a groups'
}

_muster_image() { _alternative 'files:image:_files' 'machines:machine:_muster_pattern' }

# Words that mean restore points.
_muster_points() { timeout 2 ${~${(Q)words[1]}} backup list -q --names $_muster_repository </dev/null 2>/dev/null }

_muster_point() {
  local -a points=(${(f)"$(_muster_points)"})
  local expl
  _wanted points expl 'restore point' compadd -a points
}

_muster_machine() {
  local -a machines=(${${(M)${(f)"$(_muster_points)"}:#*@latest}%@latest})
  local expl
  _wanted machines expl machine compadd -a machines
}

# Names of masters, on the connection or the hypervisors of the inventory that the line names.
_muster_master_names() {
  timeout 1 ${~${(Q)words[1]}} master list -q --names $_muster_sources "$@" </dev/null 2>/dev/null
}

_muster_master() {
  local -a connection=(${_muster_connection:+-c} $_muster_connection)
  local -a masters=(${(f)"$(_muster_master_names $connection)"})
  local expl
  _wanted masters expl master compadd -a masters
}

_muster_verb() {
  local -a verbs=(${${(M)_muster_verbs:#$_muster_found[1] *}#* })
  _describe -t verbs verb verbs
}

_muster_command() { _describe -t commands command _muster_commands; }

# Reads the words before the cursor into `_muster_found` (the command and its arguments), `_muster_sources`,
# `_muster_connection` and `_muster_repository`.
_muster_read_words() {
  local word value_of=''
  for word in "${(@Q)words[2,CURRENT-1]}"; do
    if [[ -n $value_of ]]; then
      [[ $value_of != (-i|--inventory) ]] || _muster_sources+=(-i ${word/#\~\//$HOME/})
      [[ $value_of != (-c|--connection) ]] || _muster_connection=$word
      [[ $value_of != (-R|--repository|--key-file) ]] || _muster_repository+=($value_of ${word/#\~\//$HOME/})
      value_of=''
    elif [[ $word == --connection=* ]]; then
      _muster_connection=${word#*=}
    elif [[ $word == (--repository|--key-file)=* ]]; then
      _muster_repository+=($word)
    elif [[ $word == --inventory=* ]]; then
      _muster_sources+=(-i ${word#*=})
    elif [[ $word == -i?* ]]; then
      _muster_sources+=(-i ${word#-i})
    elif (( $_muster_with_value[(Ie)$word] )); then
      value_of=$word
    elif [[ $word != -* ]]; then
      _muster_found+=($word)
    fi
  done
}

_muster() {
  local -a _muster_found=() _muster_sources=() _muster_repository=() _muster_specs=() places=()
  local _muster_connection='' verb kind place=3
  _muster_read_words
  verb="$_muster_found[1,2]"
  _muster_specs_of "$_muster_found[1]"
  (( ! $+_muster_arguments[$verb] )) || _muster_specs_of "$verb"
  case $_muster_found[1] in
    run) places=('2:host pattern:_muster_pattern' '3:remote command:_command_names -e' '*:argument:_files') ;;
    ping) places=('2:host pattern:_muster_pattern') ;;
    play) places=('2:playbook:_files') ;;
    ssh) places=('2:host:_muster_host' '3:remote command:_command_names -e' '*:argument:_files') ;;
    inventory)
      places=('2:what:(list show check discover)')
      case $_muster_found[2] in
        list) places+=('3::host pattern:_muster_pattern') ;;
        show) places+=('3:host:_muster_host') ;;
      esac
      ;;
    vm|master|clone|disk|key)
      places=('2:verb:_muster_verb')
      for kind in ${=_muster_arguments[$verb]}; do
        case $kind in
          (PATTERN|\[PATTERN\]) places+=("$place:machine:_muster_pattern") ;;
          (VM|VM\|IMAGE) places+=("$place:machine:_muster_host") ;;
          (FILE\|PATTERN:DISK) places+=("$place:image or disk:_muster_image") ;;
          (MASTER*|\[MASTER\]) places+=("$place:master:_muster_master") ;;
          (--*) ;;
          (NAME...) places+=('*:name: ') ;;
          (*[[:upper:]]*) places+=("$place:$kind: ") ;;
          (*\|*) places+=("$place:$kind:(${kind//\|/ })") ;;
        esac
        (( ++place ))
      done
      ;;
    backup)
      places=('2:verb:_muster_verb')
      for kind in ${=_muster_arguments[$verb]}; do
        [[ $kind != *... ]] || place='*'
        case $kind in
          (PATTERN|\[PATTERN\]) places+=("$place:machine:_muster_machine") ;;
          (POINT*|\[POINT\]*) places+=("${place}:restore point:_muster_point") ;;
          (\[REPO\]) places+=("${place}:repository:_files -/") ;;
          (--*) ;;
          (*[[:upper:]]*) places+=("$place:${kind//:/}: ") ;;
          (*\|*) places+=("$place:$kind:(${kind//\|/ })") ;;
        esac
        [[ $place == '*' ]] || (( ++place ))
      done
      ;;
    help) places=('2:command:_muster_command') ;;
  esac
  _arguments -s -S : "$_muster_specs[@]" '1:command:_muster_command' "$places[@]"
}

_muster "$@"
